"""The flags of `prodcls serve`: the names and forms of TensorFlow Serving's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from typer.core import TyperCommand

_MODELS, _ADDRESSES = "Models", "Addresses and bounds"
_BATCHES, _MACHINE = "Batches", "TensorFlow"
_OURS = "(Embedded server only.)"


def _flag(kind: Any, name: str, about: str, panel: str, metavar: str, **more: Any) -> Any:
    # Ranges are checked where the options are used: either server has its own.
    option = typer.Option(f"--{name}", help=about, rich_help_panel=panel, metavar=metavar, **more)
    return Annotated[Optional[kind], option]


def _text(name: str, about: str, panel: str, metavar: str = "FILE") -> Any:
    return _flag(str, name, about, panel, metavar)


def _number(name: str, about: str, panel: str) -> Any:
    return _flag(int, name, about, panel, "N")


def _seconds(name: str, about: str, panel: str) -> Any:
    return _flag(float, name, about, panel, "SECONDS")


def _switch(name: str, about: str, panel: str) -> Any:
    _SWITCHES.add(f"--{name}")
    # Not a bool to typer, which would take no `=true`.
    return _flag(str, name, about, panel, "[true|false]", callback=_read_switch)


def _read_switch(value: Optional[str]) -> Optional[bool]:
    if value is None:
        return None
    read = {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
    if read is None:
        raise typer.BadParameter(f"must be true or false. Received {value!r}.")
    return read


_SWITCHES: set[str] = set()

ENGINES = ("auto", "tfserving", "docker", "embedded")
Extra = Annotated[
    Optional[list[str]],
    typer.Argument(
        metavar="-- FLAG",
        help="Further flags, which go to tensorflow_model_server as they are.",
        show_default=False,
    ),
]
Model = Annotated[
    Optional[Path],
    typer.Option(
        "--model",
        metavar="FOLDER",
        help="A run's output folder or a model's folder: its newest version at any time, or what "
        "`prodcls models` says. Or a version's folder: that one alone. Default: runs/demo.",
        show_default=False,
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        metavar="|".join(ENGINES),
        help="Who serves. auto: tensorflow_model_server if it is on the PATH, else the embedded "
        "server.",
    ),
]

ModelName = _text(
    "model_name", "What clients call it; the folder's name, as a rule prodcls.", _MODELS, "NAME"
)
ModelBasePath = _text(
    "model_base_path", "Folder of versions, in place of --model.", _MODELS, "FOLDER"
)
ModelConfigFile = _text("model_config_file", "Several models, version policies, labels.", _MODELS)
ModelConfigFilePollWaitSeconds = _seconds(
    "model_config_file_poll_wait_seconds",
    "How often that file is read again; 0, which is never.",
    _MODELS,
)
FileSystemPollWaitSeconds = _seconds(
    "file_system_poll_wait_seconds", "How often folders are looked at; 1.", _MODELS
)
SavedModelTags = _text("saved_model_tags", "Of the graph to load; serve.", _MODELS, "TAGS")
EnableModelWarmup = _switch(
    "enable_model_warmup", "Replay a version's warm-up requests before it serves; on.", _MODELS
)
AllowVersionLabels = _switch(
    "allow_version_labels_for_unavailable_models",
    "Let a new label name a version that is not loaded.",
    _MODELS,
)
EnableReloadConfig = _switch(
    "enable_reload_config", f"Let clients change the models. {_OURS}", _MODELS
)
ReadyTimeoutSeconds = _seconds(
    "ready_timeout_seconds", f"How long models may take to load; 120. {_OURS}", _MODELS
)

Port = _number("port", "Of gRPC; 8500.", _ADDRESSES)
Host = _text(
    "host", "Address to listen on; 127.0.0.1. (Not of tensorflow_model_server.)", _ADDRESSES, "HOST"
)
GrpcSocketPath = _text("grpc_socket_path", "UNIX socket to listen on, too.", _ADDRESSES)
RestApiPort = _number("rest_api_port", "Of REST and Prometheus; 0, which is none.", _ADDRESSES)
RestApiNumThreads = _number(
    "rest_api_num_threads", "REST requests that run at a time; 4 a core.", _ADDRESSES
)
RestApiTimeoutInMs = _number("rest_api_timeout_in_ms", "After which one fails; 30000.", _ADDRESSES)
GrpcMaxThreads = _number("grpc_max_threads", "gRPC requests that run at a time; 64.", _ADDRESSES)
MaxMessageBytes = _number(
    "max_message_bytes", f"Largest request and gRPC answer; 16 MiB. {_OURS}", _ADDRESSES
)
SslConfigFile = _text("ssl_config_file", "Keys and certificates: TLS for gRPC.", _ADDRESSES)
MonitoringConfigFile = _text("monitoring_config_file", "Path of Prometheus' figures.", _ADDRESSES)
EnableReflection = _switch(
    "enable_reflection", f"Describe the services to gRPC tools; on. {_OURS}", _ADDRESSES
)
DrainSeconds = _seconds(
    "drain_seconds", f"How long a stop waits for requests; 30. {_OURS}", _ADDRESSES
)

EnableBatching = _switch("enable_batching", "Merge requests into batches; off.", _BATCHES)
BatchingParametersFile = _text("batching_parameters_file", "How they are merged.", _BATCHES)

SessionParallelism = _number(
    "tensorflow_session_parallelism", "Threads, where the next two are 0.", _MACHINE
)
IntraOpParallelism = _number(
    "tensorflow_intra_op_parallelism", "Threads in an operation; 0 for all cores.", _MACHINE
)
InterOpParallelism = _number(
    "tensorflow_inter_op_parallelism", "Operations at a time; 0 for all cores.", _MACHINE
)
GpuMemoryFraction = _flag(
    float,
    "per_process_gpu_memory_fraction",
    "Of a GPU; 0 for what it takes.",
    _MACHINE,
    metavar="SHARE",
)


class ServeCommand(TyperCommand):
    """Takes flags in all forms of TensorFlow Serving's: `--enable_batching=true`, too.

    Dashes may stand for the underscores.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Brings the arguments into the form that is declared."""
        known = {name for parameter in self.params for name in parameter.opts}
        return super().parse_args(ctx, _plain(args, known))


def _plain(args: list[str], known: set[str]) -> list[str]:
    plain: list[str] = []
    for place, argument in enumerate(args):
        if argument == "--":
            return [*plain, *args[place:]]
        name, equals, value = argument.partition("=")
        underscored = "--" + name[2:].replace("-", "_")
        if name.startswith("--") and name not in known and underscored in known:
            name = underscored
        if name in _SWITCHES and not equals:
            equals, value = "=", "true"
        plain.append(f"{name}{equals}{value}")
    return plain
