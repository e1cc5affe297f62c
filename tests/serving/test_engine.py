from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prodcls_tf.errors import ModelError, SettingsError
from serving.engine import IMAGE, PROGRAM, Engine, ServedModel, choose, command, find_model
from tests.conftest import ROOT

REAL = Engine("tfserving", "/opt/tensorflow_model_server")
DOCKER = Engine("docker", "/usr/bin/docker")


def make_version(folder: Path) -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    (folder / "variables" / "variables.index").touch()
    return folder


def put_program(folder: Path, script: str, name: str = PROGRAM) -> Path:
    """A program of that name; a real one, which the shell runs."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_run_models_and_base_folders_mean_the_newest_version_at_any_time(tmp_path):
    base = make_version(tmp_path / "mine" / "serving" / "shoes" / "7").parent
    make_version(base / "12")
    for folder in (tmp_path / "mine", tmp_path / "mine" / "serving", base):
        assert find_model(folder) == ServedModel("shoes", base)


def test_version_folder_means_that_version(tmp_path):
    version = make_version(tmp_path / "shoes" / "7")
    assert find_model(version) == ServedModel("shoes", tmp_path / "shoes", 7)


def test_relative_folder_becomes_absolute(tmp_path, monkeypatch):
    make_version(tmp_path / "shoes" / "7")
    monkeypatch.chdir(tmp_path)
    assert find_model("shoes").base == tmp_path / "shoes"


def test_incomplete_newest_version_is_left_to_the_server(tmp_path):
    make_version(tmp_path / "shoes" / "7")
    (tmp_path / "shoes" / "8").mkdir()
    assert find_model(tmp_path / "shoes").version is None


def two_models(folder: Path) -> Path:
    for name in ("boots", "shoes"):
        make_version(folder / name / "1")
    return folder


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none", "A model must be a folder"),
        (lambda folder: folder, "which has neither"),
        (two_models, "One model must be meant"),
        (lambda folder: make_version(folder / "export"), "folders named by whole numbers"),
    ],
    ids=["missing", "empty", "two models", "no number"],
)
def test_folder_that_is_no_model_is_named(tmp_path, make, message):
    with pytest.raises(ModelError, match=message):
        find_model(make(tmp_path))


def test_program_on_the_path_is_chosen(tmp_path, monkeypatch):
    program = put_program(tmp_path / "bin", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for wanted in ("auto", "tfserving"):
        assert choose(wanted) == Engine("tfserving", str(program), str(program))
    assert choose("embedded").program == ""


def test_without_the_program_it_is_the_embedded_server(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose("auto") == Engine("embedded", why=f"no {PROGRAM} on the PATH")


@pytest.mark.parametrize("engine", ["tfserving", "docker"])
def test_engine_that_is_asked_for_and_not_there_is_named(tmp_path, monkeypatch, engine):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=f"The engine {engine} needs the program"):
        choose(engine)


def test_flags_are_written_as_tf_serving_reads_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = {
        "port": 8500, "enable_batching": True, "enable_model_warmup": False,
        "file_system_poll_wait_seconds": 2.0, "batching_parameters_file": "b.config",
    }  # fmt: skip
    assert command(REAL, flags, ["--x=1"], ServedModel("shoes", tmp_path / "m")) == [
        "/opt/tensorflow_model_server",
        "--model_name=shoes",
        "--port=8500",
        "--enable_batching=true",
        "--enable_model_warmup=false",
        "--file_system_poll_wait_seconds=2",
        f"--batching_parameters_file={tmp_path / 'b.config'}",
        f"--model_base_path={tmp_path / 'm'}",
        "--x=1",
    ]


def test_name_that_is_given_wins_over_the_folders(tmp_path):
    made = command(REAL, {"model_name": "boots"}, model=ServedModel("shoes", tmp_path))
    assert "--model_name=boots" in made
    assert "--model_name=shoes" not in made


@pytest.mark.parametrize("flag", ["max_message_bytes", "drain_seconds", "host"])
def test_flag_of_the_embedded_server_alone_is_refused(flag):
    with pytest.raises(SettingsError, match=f"Received --{flag}"):
        command(REAL, {flag: 1})


def test_docker_sees_what_it_serves_and_cannot_write_there(tmp_path):
    flags = {"port": 8500, "rest_api_port": 8501, "model_name": "shoes"}
    made = command(DOCKER, flags, model=ServedModel("shoes", tmp_path / "shoes"))
    mount = f"type=bind,source={tmp_path / 'shoes'},target={tmp_path / 'shoes'},readonly"
    assert made == [
        "/usr/bin/docker", "run", "--rm", "--init",
        "--publish", "127.0.0.1:8500:8500", "--publish", "127.0.0.1:8501:8501",
        "--mount", mount, "--entrypoint", PROGRAM, IMAGE,
        "--model_name=shoes", "--port=8500", "--rest_api_port=8501",
        f"--model_base_path={tmp_path / 'shoes'}",
    ]  # fmt: skip


def test_docker_sees_the_one_version_that_is_meant(tmp_path):
    made = command(DOCKER, {}, model=ServedModel("shoes", tmp_path, 7))
    assert f"type=bind,source={tmp_path / '7'},target={tmp_path / '7'},readonly" in made
    assert f"--model_base_path={tmp_path}" in made


def test_docker_sees_every_folder_that_a_configuration_names(tmp_path):
    file = tmp_path / "models.config"
    file.write_text(
        'model_config_list { config { name: "a" base_path: "/srv/a" model_platform: "tensorflow" }'
        ' config { name: "b" base_path: "/srv/b" model_platform: "tensorflow" } }'
    )
    made = command(DOCKER, {"model_config_file": str(file), "host": "0.0.0.0"})
    sources = [word for word in made if word.startswith("type=bind")]
    assert [word.split(",")[1].removeprefix("source=") for word in sources] == [
        str(file), "/srv/a", "/srv/b",
    ]  # fmt: skip
    assert "0.0.0.0:8500:8500" in made
    assert not any(word.startswith("--host") for word in made)


def order_beside(base: Path, base_path: Path) -> Path:
    """The file with which `prodcls models` says what of a model's folder serves."""
    make_version(base / "7")
    file = base.parent / "models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "{base.name}" base_path: "{base_path}" '
        'model_platform: "tensorflow" model_version_policy { specific { versions: 7 } } '
        'version_labels { key: "stable" value: 7 } } }'
    )
    return file


def test_order_beside_the_model_is_followed(tmp_path):
    base = tmp_path / "serving" / "shoes"
    file = order_beside(base, base)
    assert command(REAL, {"port": 8500}, model=ServedModel("shoes", base))[1:] == [
        f"--model_config_file={file}",
        "--model_config_file_poll_wait_seconds=1",
        "--allow_version_labels_for_unavailable_models=true",
        "--port=8500",
    ]
    assert f"--model_base_path={base}" in command(REAL, {}, model=ServedModel("shoes", base, 7))


def test_docker_sees_the_folder_of_the_order_which_is_replaced(tmp_path):
    base = tmp_path / "serving" / "shoes"
    order_beside(base, base)
    made = command(DOCKER, {}, model=ServedModel("shoes", base))
    sources = [word for word in made if word.startswith("type=bind")]
    assert sources == [f"type=bind,source={base.parent},target={base.parent},readonly"]


@pytest.mark.parametrize(("name", "moved"), [("shoes", True), ("boots", False)])
def test_order_that_names_another_folder_or_model_is_refused(tmp_path, name, moved):
    base = tmp_path / "serving" / "shoes"
    order_beside(base, Path("/srv/shoes") if moved else base)
    with pytest.raises(SettingsError, match="Write it anew by `prodcls models promote`"):
        command(REAL, {"model_name": name}, model=ServedModel("shoes", base))


RUN = """
import sys
from pathlib import Path
from serving.engine import choose, command, execute, find_model
execute(command(choose("tfserving"), {"port": 8500}, model=find_model(sys.argv[1])))
"""


def run(tmp_path, script: str, folder: Path) -> subprocess.Popen[str]:
    put_program(tmp_path / "bin", script)
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        },
        stdout=subprocess.PIPE,
        text=True,
    )


def test_process_becomes_the_program_whose_exit_code_it_has(tmp_path):
    version = make_version(tmp_path / "shoes" / "7")
    with run(tmp_path, 'echo $$ "$@"; exit 7', version.parent) as process:
        output, _ = process.communicate(timeout=60)
    pid, *arguments = output.split()
    assert int(pid) == process.pid
    assert arguments == [
        "--model_name=shoes", "--port=8500", f"--model_base_path={tmp_path / 'shoes'}"
    ]  # fmt: skip
    assert process.returncode == 7


def test_program_gets_signals(tmp_path):
    version = make_version(tmp_path / "shoes" / "7")
    script = "trap 'exit 9' TERM; echo up; while true; do sleep 0.1; done"
    with run(tmp_path, script, version.parent) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.terminate()
        assert process.wait(60) == 9


def test_program_reads_the_policy_of_a_version_folder(tmp_path):
    version = make_version(tmp_path / "shoes" / "7")
    script = 'for a in "$@"; do case $a in --model_config_file=*) cat "${a#*=}";; esac; done'
    with run(tmp_path, script, version) as process:
        output, _ = process.communicate(timeout=60)
    assert 'name: "shoes"' in output
    assert f'base_path: "{tmp_path / "shoes"}"' in output
    assert "specific { versions: 7 }" in output
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    text_format.Parse(output, ModelServerConfig())
