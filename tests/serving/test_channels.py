from __future__ import annotations

import pytest

from prodcls_tf.errors import InputError, ServerError
from serving.channels import address, options
from serving.client import Client, Tls
from tests.serving.answering_server import AnsweringServer
from tests.serving.certificates import Certificates


@pytest.mark.parametrize(
    ("given", "completed"),
    [
        ("localhost", "localhost:8500"),
        ("example.com:9000", "example.com:9000"),
        ("[::1]", "[::1]:8500"),
        ("unix:/tmp/x", "unix:/tmp/x"),
        ("dns:///a:1", "dns:///a:1"),
    ],
)
def test_address_gets_the_usual_port(given, completed):
    assert address(given) == completed


def test_name_with_several_servers_is_shared_among_them():
    with AnsweringServer().running() as server, Client(f"dns:///{server.address}") as client:
        assert client.health() == "SERVING"
    assert "round_robin" in dict(options("dns:///a:1", 1 << 20, None))["grpc.service_config"]
    assert "grpc.service_config" not in dict(options("a:1", 1 << 20, None))


def test_this_machine_is_reached_without_a_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with AnsweringServer().running() as server, Client(server.address, retries=0) as client:
        assert client.health() == "SERVING"


@pytest.mark.parametrize("given", ["", "http://localhost:8501", "https://x"])
def test_web_addresses_are_refused(given):
    with pytest.raises(InputError, match="localhost:8500"):
        Client(given)


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("pems"))


def test_tls_with_an_authority_of_ones_own(pems):
    with (
        AnsweringServer(credentials=pems.server()).running() as server,
        Client(server.address, tls=Tls(ca=pems.ca)) as client,
    ):
        assert client.classify(["pan"])[0].category == "Home > Cookware"


def test_tls_with_a_client_certificate(pems):
    mine = Tls(ca=pems.ca, certificate=pems.client_certificate, key=pems.client_key)
    with AnsweringServer(credentials=pems.server(mutual=True)).running() as server:
        with Client(server.address, tls=mine) as client:
            assert client.health() == "SERVING"
        with (
            Client(server.address, tls=Tls(ca=pems.ca), retries=0) as client,
            pytest.raises(ServerError, match="UNAVAILABLE"),
        ):
            client.health()


@pytest.mark.parametrize("tls", [None, "stranger"])
def test_plain_text_and_a_wrong_authority_fail(pems, tls):
    given = Tls(ca=pems.stranger) if tls else None
    with (
        AnsweringServer(credentials=pems.server()).running() as server,
        Client(server.address, tls=given, retries=0) as client,
        pytest.raises(ServerError, match="UNAVAILABLE"),
    ):
        client.health()


def test_certificate_and_key_belong_together(pems):
    with pytest.raises(InputError, match="Give both"):
        Tls(certificate=pems.ca)


def test_file_that_is_no_certificate_is_named(tmp_path):
    file = tmp_path / "ca.der"
    file.write_bytes(b"\x30\x82")
    with pytest.raises(InputError, match="openssl x509"):
        Client("localhost", tls=Tls(ca=file))
    with pytest.raises(InputError, match="No such file"):
        Client("localhost", tls=Tls(ca=tmp_path / "none.pem"))
