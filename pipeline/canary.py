"""The gate between a model and production: a server must load it and answer as it was trained to.

What TFX's InfraValidator is for. That one needs Docker or Kubernetes, and is content with any
answer at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import Artifact, BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import InfraBlessing, Model
from tfx.utils import path_utils

from pipeline import canary_server
from pipeline.blessing import bless
from pipeline.canaries import Canaries, CanaryRow
from pipeline.canary_server import CanaryServer, RefusedError
from pipeline.gates import GateReport
from prodcls_tf.errors import ModelError
from prodcls_tf.manifest import check_manifest
from prodcls_tf.progress import report

# Rows that are asked together; all others come alone.
_TOGETHER = "test row"


class CanaryExecutor(BaseExecutor):
    """Loads the model in a server and compares its answers with those of the training."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Asks, and blesses the model or does not.

        Args:
          input_dict: `model`, with the Trainer's canaries.
          output_dict: `blessing`.
          exec_properties: see `Canary`.

        Raises:
          RunError: the server itself did not get to work, be the model good or bad.
        """
        (model,) = input_dict["model"]
        (blessing,) = output_dict["blessing"]
        reason = failure(
            Path(path_utils.serving_model_path(model.uri)),
            Path(model.uri),
            Path(blessing.uri),
            exec_properties["seconds"],
        )
        said = GateReport(reasons=[reason] if reason else [])
        bless(blessing, model, said, blessed=not reason)


def failure(model: Path, recorded: Path, place: Path, seconds: float) -> str:
    """Has a server load a model and asks it.

    Args:
      model: folder of the SavedModel.
      recorded: folder of the canaries that the training left.
      place: a folder of the same disk, for what is needed meanwhile.
      seconds: that the server may take to start, to load and to answer.

    Returns:
      Why the model must not be pushed, empty where it may.

    Raises:
      RunError: the server itself did not get to work.
    """
    try:
        canaries = Canaries.read(recorded)
    except (OSError, ValueError) as error:
        return f"there is nothing to hold the model's answers against: {error}"
    try:
        # A server would wait a while for the rest of a copy.
        check_manifest(model)
        with (
            canary_server.started(seconds) as server,
            canary_server.as_version(model, place) as base,
        ):
            report("starting a server", 0, 1)
            server.wait()
            report("starting a server", 1, 1)
            report("loading the model", 0, 1)
            server.load(base)
            report("loading the model", 1, 1)
            return questioned(server, canaries)
    except ModelError as error:
        return f"the new model is not whole: {error}"
    except RefusedError as refused:
        return f"a server with the new model {refused}"


def questioned(server: CanaryServer, canaries: Canaries) -> str:
    """Asks a server that has loaded the model.

    Args:
      server: which one.
      canaries: what the training left.

    Returns:
      The first difference between its answers and those of the training, in words; empty where
      there is none.

    Raises:
      RefusedError: there is no answer.
      RunError: the server itself cannot go on.
    """
    together = [row for row in canaries.rows if row.name.startswith(_TOGETHER)]
    alone = [[row] for row in canaries.rows if not row.name.startswith(_TOGETHER)]
    asked = filter(None, [together, *alone])
    return next(filter(None, (_differing(server, canaries, rows) for rows in asked)), "")


def _differing(server: CanaryServer, canaries: Canaries, rows: list[CanaryRow]) -> str:
    try:
        answers = server.ask(canaries.fields, [row.texts for row in rows])
    except RefusedError as refused:
        many = f" and {len(rows) - 1} others" if len(rows) > 1 else ""
        raise RefusedError(f"{refused} (to {rows[0].name}{many})") from None
    for row, answer in zip(rows, answers, strict=True):
        told = row.disagreement(answer, canaries.tolerance)
        if told:
            return (
                f"a server with the new model does not answer as the training did: to {row.name} "
                f"it says {told}"
            )
    return ""


class CanarySpec(ComponentSpec):
    """What the step takes and gives."""

    INPUTS: ClassVar[dict[str, Any]] = {"model": ChannelParameter(type=Model)}
    PARAMETERS: ClassVar[dict[str, Any]] = {"seconds": ExecutionParameter(type=float)}
    OUTPUTS: ClassVar[dict[str, Any]] = {"blessing": ChannelParameter(type=InfraBlessing)}


class Canary(BaseComponent):
    """A model passes where a server with it answers as the training did.

    Args:
      model: of the Trainer, with its canaries.
      seconds: that the server may take to start, to load and to answer.

    Example:
      >>> step = Canary(trainer.outputs["model"], seconds=120.0)  # doctest: +SKIP
      >>> sorted(step.outputs)  # doctest: +SKIP
      ['blessing']
    """

    SPEC_CLASS = CanarySpec
    EXECUTOR_SPEC = ExecutorClassSpec(CanaryExecutor)

    def __init__(self, model: BaseChannel, seconds: float) -> None:
        """See the class."""
        spec = CanarySpec(model=model, seconds=seconds, blessing=Channel(type=InfraBlessing))
        super().__init__(spec=spec)
