"""A server from its start to its end, rows 9 and 10 of the fault table among it."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_management_pb2

from prodcls_tf.errors import ModelError, SettingsError
from serving.server.server import EmbeddedServer
from tests.serving.server.embedded import (
    NAME,
    Process,
    asking,
    code_of,
    figure,
    in_flight,
    options,
    running,
    until,
)
from tests.serving.tiny_model import save_tiny_model


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "3").parent


def flags(base: Path, *more: str) -> list[str]:
    return [f"--model_base_path={base}", f"--model_name={NAME}", "--port=0", *more]


def test_sigterm_lets_all_requests_under_way_end(base):
    # On a slow machine they take longer than what a stop waits for by default.
    with Process(*flags(base, "--rest_api_port=-1", "--drain_seconds=110")) as process:
        port, rest_port = process.ports()
        rest = f"http://127.0.0.1:{rest_port}/v1/models/{NAME}:predict"
        with asking(port) as client, futures.ThreadPoolExecutor(4) as pool:
            watch = health_pb2_grpc.HealthStub(client.channel).Watch(
                health_pb2.HealthCheckRequest(service=NAME), timeout=120
            )
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            # Few and slow, so that the last one comes before the first one ends.
            calls = [client.slowly(600, timeout=120) for _ in range(20)]
            slow = {"signature_name": "slow", "inputs": {"rounds": [600]}}
            posts = [pool.submit(httpx.post, rest, json=slow, timeout=120) for _ in range(4)]
            figures = f"http://127.0.0.1:{rest_port}/monitoring/prometheus/metrics"
            until(
                lambda: (
                    " 20.0" in httpx.get(figures).text and '"REST"} 4.0' in httpx.get(figures).text
                )
            )
            process.send(signal.SIGTERM)
            assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
            # Said before the work was done.
            assert not all(call.done() for call in calls)
            assert code_of(lambda: client.predict("pan"))[0] == grpc.StatusCode.UNAVAILABLE
            assert [len(call.result().outputs) for call in calls] == [1] * 20
            assert [post.result().status_code for post in posts] == [200] * 4
        assert process.wait() == 0


def _under_way(rest_port: int) -> dict[str, float]:
    text = httpx.get(f"http://127.0.0.1:{rest_port}/monitoring/prometheus/metrics").text
    pattern = r'^prodcls_serving_requests_in_flight\{entrypoint="(\w+)"\} (.*)$'
    return {name: float(number) for name, number in re.findall(pattern, text, re.MULTILINE)}


def test_second_signal_ends_it_at_once(base):
    with Process(*flags(base)) as process:
        port, _ = process.ports()
        with asking(port) as client:
            call = client.slowly(600_000)
            time.sleep(0.5)
            process.send(signal.SIGTERM)
            process.until_says("Shutting down")
            process.send(signal.SIGTERM)
            assert process.wait(30) == 128 + signal.SIGTERM
            assert call.exception().code() == grpc.StatusCode.UNAVAILABLE


def test_requests_that_outlast_the_drain_are_cut_off(base):
    with Process(*flags(base, "--drain_seconds=0.5")) as process:
        port, _ = process.ports()
        with asking(port) as client:
            call = client.slowly(600_000)
            time.sleep(0.5)
            process.send(signal.SIGTERM)
            assert process.wait(30) == 1
            assert call.exception() is not None
        assert "longer than drain_seconds" in process.output


def test_ctrl_c_ends_it_with_code_0(base):
    with Process(*flags(base)) as process:
        process.ports()
        process.send(signal.SIGINT)
        assert process.wait() == 0


def test_signal_while_it_loads_ends_it_with_code_0(base):
    with Process(*flags(base)) as process:
        # The handlers come before TensorFlow, which takes seconds to load.
        until(lambda: _catches(process.pid, signal.SIGTERM))
        process.send(signal.SIGTERM)
        assert process.wait(30) == 0


def _catches(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = re.findall(r"SigCgt:\s*(\w+)", status)
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_client_that_tries_again_gets_its_answer_after_a_kill(base):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = flags(base)
    arguments[2] = f"--port={port}"
    with Process(*arguments) as process, asking(port) as client:
        process.ports()
        client.predict("pan")
        process.send(signal.SIGKILL)
        process.wait()
        assert code_of(lambda: client.predict("pan"))[0] == grpc.StatusCode.UNAVAILABLE
        with Process(*arguments) as again:
            again.ports()
            until(lambda: _answers(client), 60)


def _answers(client) -> bool:
    try:
        return client.predict("pan").model_spec.version.value == 3
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        return False


def test_log_is_structured_and_holds_no_text_of_a_request(base, monkeypatch):
    # The tests' own choices: the server must be quiet without them.
    for name in ("TF_CPP_MIN_LOG_LEVEL", "GRPC_VERBOSITY"):
        monkeypatch.delenv(name)
    with Process(*flags(base)) as process:
        port, _ = process.ports()
        with asking(port) as client:
            client.predict("Sonnenbrille")
            code_of(lambda: client.predict("Sonnenbrille", signature="Sonnenbrille"))
        process.send(signal.SIGTERM)
        assert process.wait() == 0
        assert [line for line in process.lines if not line.startswith("time=")] == []
        assert 'message="Version 3 of model prodcls: AVAILABLE"' in process.output
        assert "Sonnenbrille" not in process.output


@pytest.mark.parametrize("flag", ["port", "rest_api_port"])
def test_taken_port_is_one_clear_error(base, flag):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(SettingsError, match=f"{port}.*Name another --{flag}"):
            EmbeddedServer(options(base, **{flag: port}))
        assert time.monotonic() - began < 5


def test_two_servers_do_not_share_a_port(base):
    with (
        running(base) as server,
        pytest.raises(SettingsError, match="Name another --port"),
    ):
        EmbeddedServer(options(base, port=server.port))


def test_unix_socket_is_listened_on_too(base, tmp_path):
    path = tmp_path / "grpc.sock"
    with running(base, grpc_socket_path=str(path)):
        stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(f"unix:{path}"))
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=30).status == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda base: base.rmdir(), "model prodcls without any version in its folder"),
        (lambda base: None, "model prodcls without any version in its folder"),
        (lambda base: (base / "1").mkdir(), "model prodcls.*1"),
    ],
    ids=["no folder", "no version", "empty version"],
)
def test_model_that_cannot_be_loaded_is_one_clear_error(tmp_path, make, message):
    base = tmp_path / "prodcls"
    base.mkdir()
    make(base)
    server = EmbeddedServer(options(base, ready_timeout_seconds=20.0))
    threads = threading.active_count()
    with pytest.raises(ModelError, match=message):
        server.start()
    assert threading.active_count() <= threads


def test_relative_folder_is_that_of_the_server(base, monkeypatch):
    monkeypatch.chdir(base.parent)
    with running(Path(base.name)) as server, asking(server.port) as client:
        assert client.predict("pan").model_spec.version.value == 3


def test_new_version_takes_over_and_health_stays(base, tmp_path):
    models = tmp_path / "prodcls"
    shutil.copytree(base / "3", models / "3")
    with running(models, file_system_poll_wait_seconds=0.1) as server, asking(server.port) as ask:
        assert ask.predict("pan").model_spec.version.value == 3
        shutil.copytree(base / "3", models / ".tmp")
        (models / ".tmp").rename(models / "4")
        until(lambda: ask.predict("pan").model_spec.version.value == 4, 60)
        state = 'model_name="prodcls",version="4"'
        assert figure(server, "prodcls_serving_version_state", state) == 30
        assert server.loaded() == {NAME: [4]}


def test_changed_configuration_file_is_followed(base, tmp_path):
    file = tmp_path / "models.config"

    def write(*names: str) -> None:
        entries = "".join(
            f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" }} '
            for name in names
        )
        file.write_text(f"model_config_list {{ {entries} }}")

    write("shoes")
    polled = {"model_config_file": str(file), "model_config_file_poll_wait_seconds": 0.1}
    with running(base, **polled) as server, asking(server.port) as client:
        client.predict("pan", name="shoes")
        write("shoes", "tools")
        until(lambda: _knows(client, "tools"), 60)
        file.write_text("model_config_list {")
        time.sleep(0.5)
        assert _knows(client, "tools")


def _knows(client, name: str) -> bool:
    try:
        client.predict("pan", name=name)
    except grpc.RpcError:
        return False
    return True


def test_clients_change_the_models_where_that_is_allowed(base):
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.config.add(
        name="boots", base_path=str(base), model_platform="tensorflow"
    )
    with running(base, enable_reload_config=True) as server, asking(server.port) as client:
        client.models.HandleReloadConfigRequest(request, timeout=60)
        assert client.predict("pan", name="boots").model_spec.version.value == 3
        until(lambda: not _knows(client, NAME))
        health = health_pb2_grpc.HealthStub(client.channel)
        asked = health_pb2.HealthCheckRequest(service="boots")
        assert health.Check(asked, timeout=30).status == health_pb2.HealthCheckResponse.SERVING


def test_clients_cannot_give_a_label_to_a_version_that_is_not_loaded(base):
    request = model_management_pb2.ReloadConfigRequest()
    model = request.config.model_config_list.config.add(
        name=NAME, base_path=str(base), model_platform="tensorflow"
    )
    model.version_labels["stable"] = 9
    with running(base, enable_reload_config=True) as server, asking(server.port) as client:
        code, details = code_of(
            lambda: client.models.HandleReloadConfigRequest(request, timeout=60)
        )
        assert code == grpc.StatusCode.FAILED_PRECONDITION
        assert details.startswith("Request to assign label to version 9 of model prodcls, which is")
        assert client.predict("pan").model_spec.version.value == 3


def test_label_of_a_version_that_is_not_there_is_a_clear_error(base, tmp_path):
    file = tmp_path / "models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "x" base_path: "{base}" '
        'model_platform: "tensorflow" version_labels { key: "stable" value: 9 } } }'
    )
    with pytest.raises(SettingsError, match="cannot be put into effect"):
        EmbeddedServer(options(base, model_config_file=str(file))).start()


def test_stop_of_a_server_that_was_not_started_is_harmless(base):
    assert EmbeddedServer(options(base)).stop()


def test_batched_answers_are_those_of_their_request(base):
    titles = ["pan", "headphones", "猫", "a pan"]
    best = ["Home > Cookware", "Audio > Headphones", "Pets > Cats > 猫粮", "Home > Cookware"]
    with running(base, enable_batching=True) as server, asking(server.port) as client:

        def ask(number: int) -> bool:
            response = client.predict(titles[number % 4])
            return response.outputs["categories"].string_val[0].decode() == best[number % 4]

        with futures.ThreadPoolExecutor(16) as pool:
            assert all(pool.map(ask, range(200)))
        assert in_flight(server) == 0
