"""`prodcls serve`: a model behind gRPC, by TensorFlow Serving or by the embedded server."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Optional, cast

import typer

from prodcls_tf.cli import options, quiet, terminal
from prodcls_tf.cli import serve_flags as flags
from prodcls_tf.cli.serve_flags import ServeCommand
from prodcls_tf.errors import InputError

if TYPE_CHECKING:
    from serving.engine import Engine, Flag, Name, ServedModel
    from serving.server.config import ServerOptions
    from serving.server.server import EmbeddedServer

__all__ = ["ServeCommand", "serve"]

_NOT_FLAGS = ("extra", "model", "engine", "debug")
_DEFAULT = Path("runs/demo")


def serve(
    context: typer.Context,
    extra: flags.Extra = None,
    model: flags.Model = None,
    engine: flags.Engine = "auto",
    model_name: flags.ModelName = None,
    model_base_path: flags.ModelBasePath = None,
    model_config_file: flags.ModelConfigFile = None,
    model_config_file_poll_wait_seconds: flags.ModelConfigFilePollWaitSeconds = None,
    file_system_poll_wait_seconds: flags.FileSystemPollWaitSeconds = None,
    saved_model_tags: flags.SavedModelTags = None,
    enable_model_warmup: flags.EnableModelWarmup = None,
    allow_version_labels_for_unavailable_models: flags.AllowVersionLabels = None,
    enable_reload_config: flags.EnableReloadConfig = None,
    ready_timeout_seconds: flags.ReadyTimeoutSeconds = None,
    port: flags.Port = None,
    host: flags.Host = None,
    grpc_socket_path: flags.GrpcSocketPath = None,
    rest_api_port: flags.RestApiPort = None,
    rest_api_num_threads: flags.RestApiNumThreads = None,
    rest_api_timeout_in_ms: flags.RestApiTimeoutInMs = None,
    grpc_max_threads: flags.GrpcMaxThreads = None,
    max_message_bytes: flags.MaxMessageBytes = None,
    ssl_config_file: flags.SslConfigFile = None,
    monitoring_config_file: flags.MonitoringConfigFile = None,
    enable_reflection: flags.EnableReflection = None,
    drain_seconds: flags.DrainSeconds = None,
    enable_batching: flags.EnableBatching = None,
    batching_parameters_file: flags.BatchingParametersFile = None,
    tensorflow_session_parallelism: flags.SessionParallelism = None,
    tensorflow_intra_op_parallelism: flags.IntraOpParallelism = None,
    tensorflow_inter_op_parallelism: flags.InterOpParallelism = None,
    per_process_gpu_memory_fraction: flags.GpuMemoryFraction = None,
    debug: options.Debug = False,
) -> None:
    """Serve a model over gRPC (and REST), until Ctrl-C or SIGTERM.

    Flags bear TensorFlow Serving's names and mean the same. A newer version is loaded as soon as
    it is pushed, and takes over when it is ready; `prodcls models` says which one serves instead.

    Example: prodcls serve --model runs/mine --rest_api_port 8501
    """
    given = {
        name: value
        for name, value in context.params.items()
        if name not in _NOT_FLAGS and value is not None
    }
    _run(engine, model, given, extra or ())


def _run(engine: str, folder: Optional[Path], given: dict[str, Flag], extra: Sequence[str]) -> None:
    from serving.engine import choose

    if engine not in flags.ENGINES:
        raise InputError(f"--engine must be one of {', '.join(flags.ENGINES)}. Received {engine}.")
    chosen = choose(cast("Name", engine))
    served = _model(folder, given)
    if chosen.name != "embedded":
        _become(chosen, served, given, extra)
    if extra:
        raise InputError(
            f"Flags after -- are for tensorflow_model_server. Received {' '.join(extra)} with the "
            "embedded server. Leave them out; `prodcls serve --help` lists what it takes."
        )
    _serve_embedded(chosen, served, given)


def _model(folder: Optional[Path], given: dict[str, Flag]) -> Optional[ServedModel]:
    """The model of `--model`; None if it is named in TensorFlow Serving's way."""
    from serving.engine import find_model

    named = [name for name in ("model_base_path", "model_config_file") if name in given]
    if named and folder is not None:
        raise InputError(
            f"A model must be named in one way. Received --model and --{named[0]}. Leave one out."
        )
    return None if named else find_model(folder or _DEFAULT)


def _become(
    engine: Engine, model: Optional[ServedModel], given: dict[str, Flag], extra: Sequence[str]
) -> NoReturn:
    """Turns this process into TensorFlow Serving's, or into Docker's."""
    from prodcls_tf.cli.serve_examples import announce_program
    from serving.engine import command, execute

    arguments = command(engine, given, extra, model)
    announce_program(engine, arguments, model, given)
    sys.stdout.flush()
    execute(arguments)


def _serve_embedded(
    engine: Engine, model: Optional[ServedModel], given: dict[str, Flag]
) -> NoReturn:
    from prodcls_tf.cli.serve_examples import announce_server
    from serving.server.addresses import check_ports
    from serving.server.config import ServerOptions
    from serving.server.logs import log_to
    from serving.server.stopping import StopSignals, leave

    told: dict[str, Any] = dict(given)
    if model is not None:
        told = {"model_name": model.name, **told, "model_base_path": str(model.base)}
        # A version's folder is no order that could change.
        told.setdefault("model_config_file_poll_wait_seconds", 1.0 if model.version is None else 0)
    server_options = ServerOptions(**told)
    # Before seconds go into loading TensorFlow.
    check_ports(server_options)
    quiet.send_noise_away()
    code = 0
    with StopSignals() as signals, contextlib.ExitStack() as busy:
        busy.enter_context(terminal.busy("loading TensorFlow"))
        from serving.server.server import serve as run_server

        server = _server(server_options, model)
        busy.close()
        busy.enter_context(terminal.busy("loading the model"))

        def started(running: EmbeddedServer) -> None:
            busy.close()
            _give_streams_back()
            if not quiet.debugging():
                log_to(sys.stderr)
            announce_server(engine, running, told)

        try:
            code = run_server(server, signals, started)
        except SystemExit as end:
            code = int(end.code or 0)
    quiet.forget_log()
    leave(code)


def _server(given: ServerOptions, model: Optional[ServedModel]) -> EmbeddedServer:
    from serving.served import served_model
    from serving.server.config import ModelConfig, Policy
    from serving.server.server import EmbeddedServer

    if model is None:
        return EmbeddedServer(given)
    if model.version is None:
        return EmbeddedServer(given, lambda: [served_model(model.base, given.model_name)])
    policy = Policy("specific", versions=frozenset({model.version}))
    pinned = ModelConfig(given.model_name, given.model_base_path, policy)
    return EmbeddedServer(given, lambda: [pinned])


def _give_streams_back() -> None:
    """Lets the server write where it was told to: its logs must not fill a temporary file."""
    if quiet.log_file() is not None:
        os.dup2(terminal.out().file.fileno(), 1)
        os.dup2(terminal.err().file.fileno(), 2)
