"""The last step: a model that every gate has blessed becomes a version that serves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tfx.components import Pusher as TfxPusher
from tfx.components.util.model_utils import is_infra_validated, is_model_blessed
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.proto import pusher_pb2
from tfx.types import Artifact, BaseChannel
from tfx.utils import json_utils, path_utils, proto_utils

from pipeline import remote_push
from prodcls_tf.release.pushing import clean, find_pushed, push

logger = logging.getLogger(__name__)


class Gate(NamedTuple):
    """A step that may let a model through.

    Attributes:
      name: of the step.
      blessed: reads its word from its artifact.
    """

    name: str
    blessed: Callable[[Artifact], bool]


# By the Pusher's input. Each must bless the model; the Comparison passes the Evaluator's word on.
GATES = {
    "model_blessing": Gate("Comparison", is_model_blessed),
    "infra_blessing": Gate("Canary", is_infra_validated),
}


def refusal(inputs: Mapping[str, Sequence[Artifact]]) -> str:
    """Says which gate does not let a model through; empty where all of them do.

    Args:
      inputs: artifacts of the Pusher, by name.

    Returns:
      The reason, without capital and full stop. A missing word is a refusal.

    Example:
      >>> refusal({})
      'the gate Comparison gave no blessing'
    """
    for name, gate in GATES.items():
        blessings = inputs.get(name) or []
        if not blessings:
            return f"the gate {gate.name} gave no blessing"
        if not all(map(gate.blessed, blessings)):
            return f"the gate {gate.name} did not bless the model"
    return ""


class PushExecutor(BaseExecutor):
    """Pushes a model that all gates let through, unless it is there already."""

    def Do(  # noqa: N802  (TFX's name)
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model, and marks the artifact `pushed_model`.

        It gets the properties of TFX's own Pusher, `pushed`, `pushed_destination` and
        `pushed_version`, and `reason` where nothing was pushed.
        """
        (pushed,) = output_dict["pushed_model"]
        reason = refusal(input_dict)
        if reason:
            logger.info("Nothing is pushed: %s.", reason)
            pushed.set_int_custom_property("pushed", 0)
            pushed.set_string_custom_property("reason", reason)
            return
        (model,) = input_dict["model"]
        folder = Path(path_utils.serving_model_path(model.uri))
        keep = int(json_utils.loads(exec_properties["custom_config"])["keep"])
        version = _pushed(folder, _base(exec_properties["push_destination"]), keep)
        logger.info("%s is pushed as %s.", folder, version)
        pushed.set_int_custom_property("pushed", 1)
        pushed.set_string_custom_property("pushed_destination", str(version))
        pushed.set_string_custom_property("pushed_version", Path(version).name)


class Pusher(TfxPusher):
    """TFX's component with our executor.

    Args:
      model: of the Trainer.
      model_blessing: of the Comparison.
      infra_blessing: of the Canary.
      base: folder of the versions, or its address on an object store.
      keep: older versions that stay.
    """

    EXECUTOR_SPEC = ExecutorClassSpec(PushExecutor)

    def __init__(
        self,
        model: BaseChannel,
        model_blessing: BaseChannel,
        infra_blessing: BaseChannel,
        base: str,
        keep: int,
    ) -> None:
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=pusher_pb2.PushDestination(
                filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=base)
            ),
            custom_config={"keep": keep},
        )


def _base(push_destination: str) -> str:
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(push_destination, destination)
    return str(destination.filesystem.base_directory)


def _pushed(model: Path, base: str, keep: int) -> Path | str:
    """Where the model is now: a new version, unless a push that was killed had come that far."""
    if remote_push.is_remote(base):
        there = remote_push.find_pushed(model, base)
        return there or remote_push.push(model, base, keep=keep)
    found = find_pushed(model, Path(base))
    if found is None:
        return push(model, Path(base), keep=keep)
    clean(Path(base), keep)
    return found
