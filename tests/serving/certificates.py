"""Certificates for TLS on this machine, made on the spot."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Optional

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificates:
    """PEM files of an authority, of a server and a client that it signed, and of a stranger."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca, _, authority = self._make("authority")
        self.stranger, _, _ = self._make("stranger")
        self.server_certificate, self.server_key, _ = self._make("localhost", authority)
        self.client_certificate, self.client_key, _ = self._make("client", authority)

    def server(self, mutual: bool = False) -> grpc.ServerCredentials:
        pair = (self.server_key.read_bytes(), self.server_certificate.read_bytes())
        return grpc.ssl_server_credentials(
            [pair],
            root_certificates=self.ca.read_bytes() if mutual else None,
            require_client_auth=mutual,
        )

    def _make(
        self, name: str, signer: Optional[tuple[x509.Name, ec.EllipticCurvePrivateKey]] = None
    ) -> tuple[Path, Path, tuple[x509.Name, ec.EllipticCurvePrivateKey]]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer, signing = signer or (subject, key)
        now = datetime.datetime.now(datetime.timezone.utc)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.BasicConstraints(ca=signer is None, path_length=None), critical=True
            )
            .sign(signing, hashes.SHA256())
        )
        certificate, key_file = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, key_file, (subject, key)
