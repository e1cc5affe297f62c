"""How a server is reached: its address, TLS, a channel's options, and gRPC's errors in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

import grpc

from prodcls_tf.errors import InputError, ServerError
from serving.calls import CLOSED

DEFAULT_PORT = 8500
MAX_MESSAGE_BYTES = 16 << 20

Options = Sequence[tuple[str, Union[int, str]]]

_LOOPBACK = re.compile(r"(localhost|127\.[\d.]+|\[::1\]|unix:.*)(:\d+)?")

_REMEDIES = {
    "UNAVAILABLE": "Check the address and that the server runs (prodcls serve starts one); one "
    "that is too busy needs fewer requests at once.",
    "DEADLINE_EXCEEDED": "Give it more time, ask about fewer rows at once, or ask for fewer "
    "answers at a time.",
    "NOT_FOUND": "Name a model and a version that this server has; its log says which.",
    "RESOURCE_EXHAUSTED": "Ask about fewer rows at once, or raise the server's limit.",
    "UNIMPLEMENTED": "This server does not know that method: check that it is a model server.",
    "FAILED_PRECONDITION": "Name a signature that the model has; see docs/model-contract.md.",
    "INVALID_ARGUMENT": "Check the names of the fields and of the model; see "
    "docs/model-contract.md.",
}


@dataclass(frozen=True)
class Tls:
    """What a channel over TLS needs.

    Args:
      ca: PEM file with the authorities that may have signed the server's certificate; None for
        those that gRPC brings.
      certificate: PEM file with the client's own certificate, where the server asks for one.
      key: PEM file with its private key.
      server_name: the name in the server's certificate, if it is not that of the address.

    Raises:
      InputError: only one of certificate and key is given.
    """

    ca: Optional[Path] = None
    certificate: Optional[Path] = None
    key: Optional[Path] = None
    server_name: Optional[str] = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InputError(
                "A client certificate and its key belong together. Received "
                f"certificate={self.certificate}, key={self.key}. Give both or none."
            )

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files.

        Raises:
          InputError: one cannot be read.
        """
        return grpc.ssl_channel_credentials(
            _pem(self.ca), private_key=_pem(self.key), certificate_chain=_pem(self.certificate)
        )


def address(target: str) -> str:
    """Completes a server's address.

    Args:
      target: `host`, `host:port`, or anything that gRPC resolves, such as `unix:/path`, or
        `dns:///host:port` to spread the requests over all addresses of a name.

    Returns:
      The address with its port, 8500 where none is given: gRPC itself would take 443.

    Raises:
      InputError: it is a web address, or empty.

    Example:
      >>> address("localhost")
      'localhost:8500'
    """
    if not target or re.match(r"https?:", target):
        raise InputError(
            "A server must be named by host and gRPC port. Received "
            f"{target or 'nothing'!r}. Name it without http://, for instance localhost:8500."
        )
    bare = re.fullmatch(r"[^:/\[\]]+|\[[^\]]*\]", target)
    return f"{target}:{DEFAULT_PORT}" if bare else target


def options(target: str, max_message_bytes: int, tls: Optional[Tls]) -> Options:
    """Returns the options of a channel."""
    chosen: list[tuple[str, Union[int, str]]] = [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        # A server that was started again is found within two seconds, not two minutes.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # Else a client would wait out the failures of another one of this process.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if _LOOPBACK.fullmatch(target):
        # gRPC would ask the proxy of $http_proxy for this very machine.
        chosen.append(("grpc.enable_http_proxy", 0))
    if target.startswith("dns:"):
        # A name with many addresses is a cluster's: every one of its servers gets a share.
        chosen.append(("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'))
    if tls is not None and tls.server_name:
        chosen.append(("grpc.ssl_target_name_override", tls.server_name))
    return chosen


def server_error(error: grpc.RpcError, target: str) -> ServerError:
    """Says in our words what gRPC reports."""
    code = error.code().name
    details = (error.details() or "").strip().rstrip(".")
    remedy = _REMEDIES.get(code, "Look into the server's log.")
    return ServerError(
        f"A request to {target} must be answered. Received {code}"
        f"{f': {details}' if details else ''}. {remedy}",
        code,
        details,
    )


def closed(target: str) -> ServerError:
    """The error for a request through a client that was closed."""
    return ServerError(
        f"A client must be open to ask. Received a request to {target} after close(). "
        "Make a new client.",
        "CANCELLED",
        CLOSED,
    )


def _pem(path: Optional[Path]) -> Optional[bytes]:
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"A certificate or key must be a readable PEM file. Received {path}: "
            f"{error.strerror or error}. Check the path and its permissions."
        ) from None
    if b"-----BEGIN" not in content:
        raise InputError(
            f"A certificate or key must be a PEM file. Received {path}, which has no "
            "-----BEGIN line. Convert it with: openssl x509 -inform der -in FILE"
        )
    return content
