"""Keys and certificates for gRPC, from the file that TF Serving takes."""

from __future__ import annotations

import os
import ssl
from typing import Any, Optional

import grpc

from prodcls_tf.errors import SettingsError
from serving.server.text_proto import message_type, read_text_proto

# The proto of this file is not among those that tensorflow-serving-api ships.
_SSL_CONFIG = message_type(
    "SSLConfig",
    {
        "server_key": "string",
        "server_cert": "string",
        "custom_ca": "string",
        "client_verify": "bool",
    },
)


def server_credentials(path: str) -> Optional[grpc.ServerCredentials]:
    """Reads an `SSLConfig` in text format, whose fields hold PEM texts, not names of files.

    Args:
      path: of the file; empty for plain text.

    Returns:
      The credentials, None for plain text. With `client_verify`, clients must show a certificate
      that the authority `custom_ca` has signed.

    Raises:
      SettingsError: the file cannot be read, or a key or certificate in it cannot be used.

    Example:
      >>> server_credentials("ssl.config")  # doctest: +SKIP
      <grpc.ServerCredentials object at ...>
    """
    if not path:
        return None
    config = _read(path)
    _check(path, config)
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def asks_for_certificates(path: str) -> bool:
    """Says whether clients must show a certificate.

    Args:
      path: of an `SSLConfig`, as in `server_credentials`.

    Raises:
      SettingsError: the file cannot be read.
    """
    return bool(path and _read(path).client_verify)


def _read(path: str) -> Any:
    return read_text_proto(path, _SSL_CONFIG())


def _check(path: str, config: Any) -> None:
    """Says what is wrong; gRPC would say no more than that it cannot listen."""
    fields = ["server_key", "server_cert"]
    if config.client_verify or config.custom_ca:
        fields.append("custom_ca")
    for field in fields:
        if "-----BEGIN " not in getattr(config, field):
            raise SettingsError(
                f"{path}: {field} must hold the text of a PEM file. Received "
                f"{'none' if not getattr(config, field) else 'something else'}. Copy the file's "
                r"content into it, each line's end written as \n."
            )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        _load(context, config)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise SettingsError(
            f"{path}: server_key must be the unencrypted key of server_cert, and custom_ca a "
            f"certificate. Received: {reason}. Make them again."
        ) from None


def _load(context: ssl.SSLContext, config: Any) -> None:
    # The library takes the name of a file alone; this one is in memory, so that the key stays off
    # the disk.
    descriptor = os.memfd_create("prodcls-tls")
    try:
        os.write(descriptor, f"{config.server_key}\n{config.server_cert}\n".encode())
        # A key that asks for a password gets a wrong one, not a prompt.
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
        if config.custom_ca:
            context.load_verify_locations(cadata=config.custom_ca)
    finally:
        os.close(descriptor)
