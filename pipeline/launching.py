"""Runs a pipeline's steps on this machine, one after the other, and tells how each went.

TFX's own LocalDagRunner does the same through the same launcher, but says neither which steps
were cached nor how long each took, and offers no place to report progress.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from ml_metadata.errors import StatusError
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2
from tfx.types import Artifact

from pipeline.cached import Fingerprints
from pipeline.local_beam import LocalBeamOperator
from prodcls_tf.errors import OutputError, ProdclsError, RunError
from prodcls_tf.progress import report

_logger = logging.getLogger(__name__)

# A file's writer, and SQLite, whose error goes on with pages of SQL.
_FULL_DISK = re.compile(r".*No space left.*|database or disk is full")


@dataclass(frozen=True)
class Step:
    """A step that is done.

    Attributes:
      name: the component's name.
      cached: whether a former result was taken.
      seconds: wall-clock time.
      outputs: its artifacts by name of the output.
    """

    name: str
    cached: bool
    seconds: float
    outputs: Mapping[str, list[Artifact]]

    @property
    def folders(self) -> list[Path]:
        """Those of all outputs."""
        return [Path(output.uri) for outputs in self.outputs.values() for output in outputs]


# Asked before a step, with the steps that are done: whether to run it though it has a result.
Afresh = Callable[[str, Mapping[str, Step]], bool]

# Told after a step, cached or not, with all that are done; before the next one begins.
Ended = Callable[[str, Mapping[str, Step]], object]


def launch(
    pipeline: Pipeline,
    run_log: Path,
    afresh: Afresh,
    fingerprints: Fingerprints,
    ended: Ended,
) -> dict[str, Step]:
    """Runs all steps of a pipeline.

    Args:
      pipeline: with SQLite metadata.
      run_log: named in the message where a step fails for no known reason.
      afresh: says which steps must run though their former result still holds.
      fingerprints: of what the steps write, to be kept up.
      ended: told of each step that is done.

    Returns:
      The steps by name, in order.

    Raises:
      ProdclsError: a step failed; the library's own errors come as they are.
    """
    with _no_arguments():
        compiled = compiler.Compiler().compile(pipeline)
        run_id = datetime.datetime.now(datetime.timezone.utc).isoformat()
        runtime_parameter_utils.substitute_runtime_parameter(
            compiled, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        done: dict[str, Step] = {}
        total = len(compiled.nodes)
        for number, node in enumerate(compiled.nodes, start=1):
            name = node.pipeline_node.node_info.id
            task = f"{number}/{total} {name}"
            report(task, 0, 1)
            if afresh(name, done):
                node.pipeline_node.execution_options.caching_options.enable_cache = False
            step = _run(compiled, node.pipeline_node, run_log)
            if not step.cached:
                fingerprints.keep(step.folders)
            done[name] = step
            ended(name, done)
            report(task, 1, 1, "cached" if step.cached else f"{step.seconds:.1f} s")
    return done


def _run(compiled: pipeline_pb2.Pipeline, node: pipeline_pb2.PipelineNode, run_log: Path) -> Step:
    name = node.node_info.id
    deployment = runner_utils.extract_local_deployment_config(compiled)
    connection = deployment.metadata_connection_config.database_connection_config
    started = time.monotonic()
    try:
        info = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=compiled.pipeline_info,
            pipeline_runtime_spec=compiled.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, name),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
            custom_executor_operators={executable_spec_pb2.BeamExecutableSpec: LocalBeamOperator},
        ).launch()
    except Exception as error:
        # Not as an error: the caller shows one message, this is for the log file.
        _logger.info("%s failed", name, exc_info=True)
        raise shown_error(name, error, run_log) from error
    seconds = time.monotonic() - started
    with metadata.Metadata(connection) as handle:
        (execution,) = handle.store.get_executions_by_id([info.execution_id])
        if not execution_lib.is_execution_successful(execution):
            # The launcher only logs it when a step's inputs cannot be found.
            raise shown_error(name, RuntimeError("its inputs could not be found"), run_log)
        return Step(
            name=name,
            cached=execution.last_known_state == metadata_store_pb2.Execution.CACHED,
            seconds=seconds,
            outputs=execution_lib.get_output_artifacts(handle, execution.id),
        )


def shown_error(name: str, error: BaseException, run_log: Path) -> ProdclsError:
    """Finds what to tell a user about a failed step.

    Args:
      name: of the step.
      error: as it came out of TFX, with its causes.
      run_log: where the rest can be read.

    Returns:
      The library's own error where one is among the causes, an `OutputError` for a full disk,
      else a `RunError` that names the step and the log.
    """
    for cause in _causes(error):
        if isinstance(cause, ProdclsError):
            return cause
        full = _full_disk(cause)
        if full:
            return _no_room(f" in the step {name}", full)
    return RunError(
        f"Every step of the pipeline must succeed. Received from {name}: "
        f"{type(error).__name__}: {_first_line(error)} The whole story is in {run_log}."
    )


def no_room(error: BaseException) -> OutputError | None:
    """Returns the error to show for a full disk outside of the steps; None for any other error."""
    full = next(filter(None, map(_full_disk, _causes(error))), None)
    return None if full is None else _no_room("", full)


def _no_room(where: str, told: str) -> OutputError:
    return OutputError(
        f"A run needs room on its disk. Received a full one{where}: {told}. "
        "Free some space and run the same command again: finished steps are kept."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _full_disk(error: BaseException) -> str | None:
    """What an error tells of a full disk; None where it is about something else."""
    if isinstance(error, OSError):
        return str(error) if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
    # Of an exception of a worker Beam tells the text alone, in a RuntimeError.
    if not isinstance(error, (tf.errors.ResourceExhaustedError, StatusError, RuntimeError)):
        return None
    told = _FULL_DISK.search(str(error))
    return told.group().strip() if told else None


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return text if text.endswith(".") else f"{text}."


@contextlib.contextmanager
def _no_arguments() -> Iterator[Any]:
    """Hides the command line, which TFX and Beam would read as options of their own."""
    before = sys.argv
    sys.argv = before[:1]
    try:
        yield
    finally:
        sys.argv = before
