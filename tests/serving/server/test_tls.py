from __future__ import annotations

import grpc
import pytest
from cryptography.hazmat.primitives import serialization

from prodcls_tf.errors import SettingsError
from serving.server.tls import server_credentials
from tests.serving.certificates import Certificates
from tests.serving.server.embedded import asking, code_of, running
from tests.serving.tiny_model import save_tiny_model


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("pem"))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("models") / "1").parent


def write(path, **fields):
    lines = []
    for name, value in fields.items():
        text = str(value).lower() if isinstance(value, bool) else None
        if text is None:
            content = value if isinstance(value, str) else value.read_text()
            text = '"' + content.replace("\n", "\\n") + '"'
        lines.append(f"{name}: {text}\n")
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def pair(certificates):
    return {
        "server_key": certificates.server_key, "server_cert": certificates.server_certificate
    }  # fmt: skip


def test_without_a_file_there_is_no_tls():
    assert server_credentials("") is None


def test_server_shows_its_certificate_and_others_fail_without_a_crash(
    certificates, base, tmp_path, pair
):
    config = write(tmp_path / "ssl.config", **pair)
    trusting = grpc.ssl_channel_credentials(certificates.ca.read_bytes())
    wrong = grpc.ssl_channel_credentials(certificates.stranger.read_bytes())
    with running(base, ssl_config_file=config) as server:
        for credentials in (wrong, None):
            with asking(server.port, credentials) as client:
                code, _ = code_of(lambda client=client: client.predict("pan", timeout=5))
                assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        with asking(server.port, trusting) as client:
            assert client.predict("pan").model_spec.version.value == 1


def test_clients_must_show_a_certificate_of_the_authority_where_that_is_asked(
    certificates, base, tmp_path, pair
):
    config = write(tmp_path / "ssl.config", **pair, custom_ca=certificates.ca, client_verify=True)
    ca = certificates.ca.read_bytes()
    mutual = grpc.ssl_channel_credentials(
        ca, certificates.client_key.read_bytes(), certificates.client_certificate.read_bytes()
    )
    with running(base, ssl_config_file=config) as server:
        with asking(server.port, grpc.ssl_channel_credentials(ca)) as client:
            code, _ = code_of(lambda: client.predict("pan", timeout=5))
            assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        with asking(server.port, mutual) as client:
            assert client.predict("pan").model_spec.version.value == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"server_key": ""}, "server_key must hold the text of a PEM file. Received none"),
        ({"server_cert": "/etc/server.pem"}, "server_cert must hold the text of a PEM file"),
        ({"client_verify": True}, "custom_ca must hold the text of a PEM file"),
        ({"custom_ca": "-----BEGIN CERTIFICATE-----\nx\n"}, "custom_ca a certificate"),
        ({"server_key": "-----BEGIN PRIVATE KEY-----\nx\n"}, "server_key must be the unencrypted"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, pair, changes, message):
    config = write(tmp_path / "ssl.config", **{**pair, **changes})
    with pytest.raises(SettingsError, match=message):
        server_credentials(config)


def test_key_of_another_certificate_is_refused(certificates, tmp_path, pair):
    config = write(tmp_path / "ssl.config", **{**pair, "server_key": certificates.client_key})
    with pytest.raises(SettingsError, match="KEY_VALUES_MISMATCH"):
        server_credentials(config)


def test_key_with_a_password_is_refused_without_asking_for_it(certificates, tmp_path, pair):
    key = serialization.load_pem_private_key(certificates.server_key.read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    config = write(tmp_path / "ssl.config", **{**pair, "server_key": locked.decode()})
    with pytest.raises(SettingsError, match="unencrypted"):
        server_credentials(config)
