from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.serving.certificates import Certificates
from tests.serving.server.embedded import Process, asking, code_of
from tests.serving.test_engine import put_program
from tests.serving.tiny_model import save_tiny_model

CLI = ("-m", "prodcls_tf.cli")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The base folder of a model with two versions, in the output folder of a run."""
    folder = tmp_path_factory.mktemp("runs") / "mine" / "serving" / "prodcls"
    for version in ("3", "4"):
        save_tiny_model(folder / version)
    return folder


def served(*arguments: object) -> Process:
    return Process("serve", "--engine", "embedded", *arguments, program=CLI)


def port_of(process: Process, what: str = "gRPC") -> int:
    address = process.until_says(f"  {what} ").split()[1]
    return int(address.removesuffix("/v1/models").rpartition(":")[2])


@pytest.fixture(scope="module")
def running(base):
    """The output folder of a run, served with gRPC and REST."""
    run = base.parent.parent
    with served("--model", run, "--port", 0, "--rest-api-port=-1", "--enable_batching") as process:
        process.until_says("Ctrl-C ends it")
        yield process


def test_newest_version_of_a_run_is_served(running):
    with asking(port_of(running)) as client:
        assert client.predict("pan").model_spec.version.value == 4
    url = f"http://localhost:{port_of(running, 'REST')}/v1/models/prodcls"
    assert httpx.get(url).status_code == 200


def test_it_says_who_serves_what_where_and_how_to_ask(running):
    port = port_of(running)
    assert "Embedded server  asked for\n" in running.output
    assert "  model   prodcls, version 4\n" in running.output
    assert f"ask 'wireless mouse 2.4 GHz' --server localhost:{port}\n" in running.output
    assert f"localhost:{port} tensorflow.serving.PredictionService/Predict" in running.output


def test_nothing_of_the_libraries_is_seen(running):
    assert "cuda" not in running.output
    assert "Warning" not in running.output


def test_request_to_copy_is_answered(running):
    (command,) = (line.strip() for line in running.lines if "curl -d" in line)
    asked = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True
    )
    assert '"categories": [' in asked.stdout


def test_requests_to_copy_name_what_mutual_tls_needs(prodcls, base, tmp_path):
    pems = Certificates(tmp_path)
    texts = {
        "server_key": pems.server_key, "server_cert": pems.server_certificate, "custom_ca": pems.ca
    }  # fmt: skip
    fields = (f"{name}: {json.dumps(file.read_text())}\n" for name, file in texts.items())
    config = tmp_path / "ssl.config"
    config.write_text("".join(fields) + "client_verify: true\n")
    shutil.copy(pems.ca, tmp_path / "CA.pem")
    shutil.copy(pems.client_certificate, tmp_path / "CLIENT.pem")
    shutil.copy(pems.client_key, tmp_path / "CLIENT.key")
    with served("--model", base, "--port=0", "--ssl_config_file", config) as process:
        process.until_says("Ctrl-C ends it")
        command = process.until_says(" ask '").partition(" ask ")[2]
        asked = prodcls("ask", *shlex.split(command), cwd=tmp_path)
    assert "Audio > Headphones" in asked.stdout, asked.stderr
    assert "grpcurl -cacert CA.pem -cert CLIENT.pem -key CLIENT.key -d" in process.output


def test_logs_of_a_running_server_stay_out_of_temporary_files(running):
    paths = [Path(f"/proc/{running.pid}/fd/{number}").readlink() for number in (1, 2)]
    assert all(path.name.startswith("pipe:") for path in paths)


def test_version_folder_is_served_alone_and_ctrl_c_ends_it(base):
    with served("--model", base / "3", "--port=0", "--model_name", "shoes") as process:
        port = port_of(process)
        process.until_says("Ctrl-C ends it")
        with asking(port) as client:
            assert client.predict("pan", name="shoes").model_spec.version.value == 3
            assert "NOT_FOUND" in str(code_of(lambda: client.predict("pan", name="prodcls"))[0])
        process.send(signal.SIGINT)
        assert process.wait() == 0
    assert "REST    off" in process.output
    assert "--model shoes" in process.output


def test_models_are_named_in_tf_servings_way_too_and_sigterm_ends_it(base, tmp_path):
    file = tmp_path / "models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "tools" base_path: "{base}" '
        'model_platform: "tensorflow" model_version_policy { all {} } } }'
    )
    with served(f"--model_config_file={file}", "--port=0") as process:
        process.until_says("model   tools, versions 4 and 3")
        process.until_says("Ctrl-C ends it")
        process.send(signal.SIGTERM)
        assert process.wait() == 0
    assert 'message="Shutting down' in process.output


@pytest.fixture
def on_the_path(tmp_path, monkeypatch):
    """Puts a tensorflow_model_server on the PATH that prints how it was called."""
    program = put_program(tmp_path / "bin", 'echo CALLED "$@"; exit 4')
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


def test_tensorflow_model_server_is_run_where_it_is_on_the_path(prodcls, base, on_the_path):
    done = prodcls("serve", "--model", base, "--enable_batching=true", "--", "--grpc_x=1")
    assert done.returncode == 4
    assert f"TensorFlow Serving  {on_the_path}" in done.stdout
    assert "gRPC    localhost:8500" in done.stdout
    (called,) = (line for line in done.stdout.splitlines() if line.startswith("CALLED"))
    assert called == (
        f"CALLED --model_name=prodcls --enable_batching=true --model_base_path={base} --grpc_x=1"
    )


def test_embedded_server_can_be_asked_for_beside_it(prodcls, base, on_the_path, tmp_path):
    done = prodcls("serve", "--model", base / "9", "--engine", "embedded")
    assert done.returncode == 2
    assert "CALLED" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "no/such"), "A model must be a folder"),
        (("--model", "a", "--model_base_path", "b"), "must be named in one way"),
        (("--engine", "x"), "--engine must be one of"),
        (("--engine", "embedded", "--", "--x"), "are for tensorflow_model_server"),
        (("--enable_batching=maybe",), "must be true or false"),
        (("--prot", "1"), "No such option"),
        (("--max_message_bytes", "1"), "must be from 1024"),
        (("--batching_parameters_file", "x"), "Add --enable_batching"),
    ],
)
def test_bad_call_is_one_clear_message(call, monkeypatch, base, tmp_path, arguments, message):
    monkeypatch.setenv("PATH", str(tmp_path))
    if "--model" not in arguments:
        arguments = ("--model", base, *arguments)
    done = call("serve", *arguments)
    assert done.code == 2
    assert message in " ".join(done.err.split())


def test_taken_port_is_one_clear_message(prodcls, base):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = prodcls("serve", "--engine", "embedded", "--model", base, "--port", port)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip().startswith("Error")
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"127.0.0.1:{port}" in done.stderr


def test_model_that_cannot_be_loaded_is_one_clear_message(prodcls, tmp_path):
    version = tmp_path / "prodcls" / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"no graph")
    done = prodcls("serve", "--engine", "embedded", "--model", tmp_path, "--port", 0)
    assert done.returncode == 2
    assert "Each model must have a version that can be loaded" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_nothing_heavy(fresh_python):
    heavy = ("tensorflow", "grpc", "numpy", "tensorflow_serving", "uvicorn")
    loaded = fresh_python(
        "import sys; from prodcls_tf.cli import main; main(['serve', '--help']);"
        f"print('LOADED', *(name for name in {heavy!r} if name in sys.modules))"
    )
    assert loaded.splitlines()[-1] == "LOADED"


def test_all_flags_of_the_server_can_be_given():
    import dataclasses
    import inspect

    from prodcls_tf.cli.serve import serve
    from serving.server.config import ServerOptions

    known = set(inspect.signature(serve).parameters)
    assert {field.name for field in dataclasses.fields(ServerOptions)} <= known
