"""Which model server is run: TensorFlow Serving where it is at hand, else the embedded one.

Loads neither TensorFlow nor gRPC.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn, Optional

from prodcls_tf.errors import ModelError, SettingsError
from serving.served import config_file, ordered
from serving.versions import GRAPH, find_version, version_numbers

Name = Literal["auto", "tfserving", "docker", "embedded"]
Flag = str | int | float | bool

PROGRAM = "tensorflow_model_server"
IMAGE = "tensorflow/serving:2.16.1"

# Flags of the embedded server that TensorFlow Serving does not know.
OURS = frozenset(
    {
        "host",
        "max_message_bytes",
        "enable_reload_config",
        "enable_reflection",
        "drain_seconds",
        "ready_timeout_seconds",
    }
)
_FILES = (
    "model_config_file",
    "batching_parameters_file",
    "monitoring_config_file",
    "ssl_config_file",
)


class ServedModel(NamedTuple):
    """The model that a folder stands for.

    Attributes:
      name: of its folder.
      base: folder of its versions, absolute.
      version: the only one that is meant; None for the newest at any time.
    """

    name: str
    base: Path
    version: Optional[int] = None


def find_model(folder: Path | str) -> ServedModel:
    """Finds the model to serve.

    Args:
      folder: the output folder of a run, the folder of all models, a model's base folder, or a
        version's folder. Of the last one that version alone is served.

    Returns:
      The model.

    Raises:
      ModelError: there is no model, no version, or more than one model to choose from.

    Example:
      >>> find_model("runs/mine")  # doctest: +SKIP
      ServedModel(name='prodcls', base=PosixPath('/srv/runs/mine/serving/prodcls'), version=None)
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  (a link stays one)
    if not folder.is_dir() or not (folder / GRAPH).exists():
        bases = _bases(folder)
        # More than one, or none: the error says what is the matter.
        base = bases[0] if len(bases) == 1 else find_version(folder).parent
        return ServedModel(base.name, base)
    if folder.name.isdigit() and int(folder.name) in version_numbers(folder.parent):
        return ServedModel(folder.parent.name, folder.parent, int(folder.name))
    raise ModelError(
        f"A model server takes versions in folders named by whole numbers. Received {folder}, a "
        f"SavedModel under another name. Copy it to {folder / '1'}, say, and name {folder} then."
    )


def _bases(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    models = folder / "serving" if (folder / "serving").is_dir() else folder
    if version_numbers(models):
        return [models]
    entries = sorted(entry for entry in models.iterdir() if entry.is_dir())
    return [entry for entry in entries if version_numbers(entry)]


@dataclass(frozen=True)
class Engine:
    """A model server to run.

    Args:
      name: `tfserving`, `docker` or `embedded`.
      program: to execute; empty for `embedded`.
      why: the reason for the choice, for people.
    """

    name: Name
    program: str = ""
    why: str = ""


def choose(wanted: Name) -> Engine:
    """Chooses the engine.

    Args:
      wanted: `auto` for TensorFlow Serving if its program is on the PATH, else the embedded server.
        Docker is used only where it is asked for: it fetches an image of half a gigabyte.

    Returns:
      What there is.

    Raises:
      SettingsError: what is asked for is not on the PATH.

    Example:
      >>> choose("embedded").program
      ''
    """
    if wanted == "embedded":
        return Engine("embedded", why="asked for")
    if wanted == "docker":
        docker = shutil.which("docker")
        if docker is None:
            raise SettingsError(
                "The engine docker needs the program docker. Received a PATH without it. Install "
                "Docker, or leave --engine out for the embedded server."
            )
        return Engine("docker", docker, IMAGE)
    program = shutil.which(PROGRAM)
    if program is not None:
        return Engine("tfserving", program, program)
    if wanted == "tfserving":
        raise SettingsError(
            f"The engine tfserving needs the program {PROGRAM}. Received a PATH without it. "
            "Install it (https://www.tensorflow.org/tfx/serving/setup), use --engine docker, or "
            "leave --engine out for the embedded server."
        )
    return Engine("embedded", why=f"no {PROGRAM} on the PATH")


def command(
    engine: Engine,
    flags: Mapping[str, Flag],
    extra: Sequence[str] = (),
    model: Optional[ServedModel] = None,
) -> list[str]:
    """Builds the command line of TensorFlow Serving.

    Args:
      engine: `tfserving` or `docker`.
      flags: by name, without dashes.
      extra: further arguments, as they are.
      model: in place of `model_name` and `model_base_path`; the flags still name it otherwise.

    Returns:
      The program with all its arguments. For a version's own folder, a temporary file of this
      process holds the policy, which the program inherits.

    Raises:
      SettingsError: a flag is one of the embedded server alone.

    Example:
      >>> command(Engine("tfserving", "/usr/bin/tensorflow_model_server"), {"port": 8500})
      ['/usr/bin/tensorflow_model_server', '--port=8500']
    """
    ours = sorted(OURS.intersection(flags) - ({"host"} if engine.name == "docker" else set()))
    if ours:
        raise SettingsError(
            f"TensorFlow Serving must get flags that it knows. Received --{ours[0]}, which is the "
            "embedded server's. Leave it out, or add --engine embedded."
        )
    told = {name: _absolute(name, value) for name, value in flags.items() if name != "host"}
    if model is not None and model.version is None and ordered(model.base) is not None:
        told = {**_ordered(model, told.get("model_name", model.name)), **told}
        told.pop("model_name", None)
    elif model is not None:
        told = {"model_name": model.name, **told}
        told["model_base_path"] = str(model.base)
    if engine.name == "docker":
        return [*_docker(engine, flags, told, model), *_written(told), *extra]
    if model is not None and model.version is not None:
        told["model_config_file"] = _policy_file(str(told["model_name"]), model)
    return [engine.program, *_written(told), *extra]


def _ordered(model: ServedModel, name: Flag) -> dict[str, Flag]:
    """Flags with which TensorFlow Serving follows the `models.config` beside a model's folder."""
    order, file = ordered(model.base), config_file(model.base)
    if order is None or order.folder != model.base or order.name != name:
        raise SettingsError(
            f"TensorFlow Serving must find a model as its models.config says. Received {file} for "
            f"{name} of {model.base}. Write it anew by `prodcls models promote` or `rollback`, "
            "leave --model_name out, or add --engine embedded."
        )
    return {
        "model_config_file": str(file),
        "model_config_file_poll_wait_seconds": 1.0,
        # Else it refuses labels at the start, when no version is loaded yet.
        "allow_version_labels_for_unavailable_models": True,
    }


def execute(arguments: Sequence[str]) -> NoReturn:
    """Becomes a program: signals reach it, and its exit code is this process's.

    Args:
      arguments: the program and its arguments.

    Raises:
      SettingsError: it cannot be run.
    """
    try:
        os.execv(arguments[0], list(arguments))
    except OSError as error:
        raise SettingsError(
            f"{arguments[0]} must be a program for this machine. Received: {error.strerror}. "
            "Install it again, or add --engine embedded."
        ) from None


def _absolute(name: str, value: Flag) -> Flag:
    """TensorFlow Serving wants its folder absolute, and Docker every path."""
    if (name in _FILES or name == "model_base_path") and "://" not in str(value):
        return os.path.abspath(str(value))  # noqa: PTH100  (a link stays one)
    return value


def _written(flags: Mapping[str, Flag]) -> list[str]:
    return [f"--{name}={_value(value)}" for name, value in flags.items()]


def _value(value: Flag) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # Seconds are whole to TensorFlow Serving.
    return f"{value:g}" if isinstance(value, float) else str(value)


def _docker(
    engine: Engine,
    flags: Mapping[str, Flag],
    told: Mapping[str, Flag],
    model: Optional[ServedModel],
) -> list[str]:
    """The container: it sees what it serves, at the same paths, and cannot write there."""
    host = str(flags.get("host", "127.0.0.1"))
    ports = [told.get("port", 8500), told.get("rest_api_port", 0)]
    arguments = [engine.program, "run", "--rm", "--init"]
    for port in filter(None, ports):
        arguments += ["--publish", f"{host}:{port}:{port}"]
    for path in _mounted(told, model):
        arguments += ["--mount", f"type=bind,source={path},target={path},readonly"]
    return [*arguments, "--entrypoint", PROGRAM, IMAGE]


def _mounted(told: Mapping[str, Flag], model: Optional[ServedModel]) -> list[str]:
    paths = [str(told[name]) for name in _FILES if told.get(name)]
    if model is not None and model.version is not None:
        # It sees no other version, so that this one is the newest.
        paths.append(str(model.base / str(model.version)))
    elif told.get("model_base_path"):
        paths.append(str(told["model_base_path"]))
    if told.get("model_config_file"):
        paths += _base_paths(Path(str(told["model_config_file"])))
    if model is not None and "model_base_path" not in told:
        # A mounted file would stay the one that it was when it is replaced; its folder does not.
        paths = [path for path in paths if Path(path).parent != model.base.parent]
        paths.append(str(model.base.parent))
    return paths


def _base_paths(model_config_file: Path) -> list[str]:
    """The folders that a configuration names."""
    from serving.server.model_config import read_model_config_file

    return [str(model.folder) for model in read_model_config_file(model_config_file)]


def _policy_file(name: str, model: ServedModel) -> str:
    """A configuration that pins a version; in memory, gone with the last process that has it."""
    descriptor = os.memfd_create("models.config", 0)
    text = (
        f'model_config_list {{ config {{ name: "{_escaped(name)}" model_platform: "tensorflow" '
        f'base_path: "{_escaped(str(model.base))}" '
        f"model_version_policy {{ specific {{ versions: {model.version} }} }} }} }}\n"
    )
    os.write(descriptor, text.encode("utf-8"))
    return f"/proc/self/fd/{descriptor}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
