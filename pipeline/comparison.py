"""The gate between a model and the one that serves: not worse overall, nor on any slice.

It leaves a table of all categories, too, for people: what each lost or won, and to which others.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import tensorflow as tf
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration.driver_output_pb2 import DriverOutput
from tfx.types import Artifact, BaseChannel, Channel, artifact_utils
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing
from tfx.utils import path_utils

from pipeline.blessing import bless, is_blessed
from pipeline.gates import GateReport
from pipeline.rows import best_categories, read_records, read_texts
from pipeline.serving_now import identity, rival
from prodcls_tf.evaluation.by_category import by_category
from prodcls_tf.evaluation.category_changes import CategoryChange, write_changes
from prodcls_tf.evaluation.comparing import compare
from prodcls_tf.evaluation.comparison import Comparison as Compared
from prodcls_tf.evaluation.slices import slices_of
from prodcls_tf.features import CATEGORY, SLICE
from prodcls_tf.progress import report
from prodcls_tf.settings import DataSettings, EvaluationSettings

# In the artifact of the blessing, where models were compared.
CATEGORIES = "categories.csv"

_SPLIT = "test"


@dataclass(frozen=True)
class Columns:
    """What raw examples hold.

    Attributes:
      fields: names of the text fields.
      separator: between the levels of a category.
      slice_by: the column whose values they carry as `SLICE`; empty for none.
    """

    fields: Sequence[str]
    separator: str = " > "
    slice_by: str = ""


class ComparisonDriver(BaseDriver):
    """Finds out which model serves before TFX asks whether a former result still holds.

    What serves is no artifact but a folder, which may be deleted or rolled back; as the files of
    an ExampleGen, it becomes a parameter, and so a part of what the cache goes by.
    """

    def run(self, execution_info: ExecutionInfo) -> DriverOutput:
        """Fills in the parameter `rival`.

        Args:
          execution_info: what the step is given.

        Returns:
          The identity of the model to compare with, empty where there is none.
        """
        (model,) = execution_info.input_dict["model"]
        serving = Path(execution_info.exec_properties["serving"])
        found = rival(serving, _folder(model))
        output = DriverOutput()
        output.exec_properties["rival"].string_value = identity(found) if found else ""
        return output


class ComparisonExecutor(BaseExecutor):
    """Asks both models about the test rows."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Compares, and blesses the model or does not.

        Args:
          input_dict: `examples`, `model` and the Evaluator's `evaluated`.
          output_dict: `blessing`.
          exec_properties: see `Comparison`.
        """
        (model,) = input_dict["model"]
        (evaluated,) = input_dict["evaluated"]
        (blessing,) = output_dict["blessing"]
        found = rival(Path(exec_properties["serving"]), _folder(model))
        # A model that missed a bound is refused already: nothing need be compared.
        passed, said = is_blessed(evaluated), GateReport()
        changes: list[CategoryChange] = []
        if passed and found is not None:
            split = artifact_utils.get_split_uri(input_dict["examples"], _SPLIT)
            settings = EvaluationSettings(**json.loads(exec_properties["settings"]))
            columns = Columns(**json.loads(exec_properties["columns"]))
            said, changes = compared(_folder(model), found, split, columns, settings)
        bless(blessing, model, said, blessed=passed and not said.reasons)
        if changes:
            write_changes(Path(blessing.uri, CATEGORIES), changes)


def compared(
    candidate: Path,
    serving: Path,
    split: str,
    columns: Columns,
    settings: EvaluationSettings,
) -> tuple[GateReport, list[CategoryChange]]:
    """Compares two models on the same rows.

    Args:
      candidate: folder of the new model.
      serving: folder of the version that serves.
      split: folder of the raw examples of the rows.
      columns: what they hold.
      settings: how far the new model may fall.

    Returns:
      Both models' figures, and why the new one must not take over, if so; and what became of each
      category, nothing where the version that serves cannot be asked.
    """
    records = read_records(split)
    categories = read_texts(records, CATEGORY)
    told = functools.partial(_tell, total=2 * len(records))
    try:
        before = best_categories(serving, records, told)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        # No word about the version, and none that the cache may keep.
        raise
    except Exception as error:  # truncated, corrupt, other ops: TensorFlow raises many kinds
        reason = (
            f"version {serving.name}, which serves, cannot be asked ({type(error).__name__}: "
            f"{_first_line(error)}), so nothing says that the new model is no worse: remove "
            f"{serving}, or push it again, and repeat the run"
        )
        return GateReport(reasons=[reason]), []
    after = best_categories(candidate, records, lambda done: told(len(records) + done))
    slices = _slices(records, categories, columns)
    found: Compared = compare(serving.name, categories, before.best, after.best, slices, settings)
    changes = by_category(categories, before.best, after.best, before.known, after.known)
    return GateReport(reasons=found.reasons(settings), comparison=found), changes


def _slices(
    records: Sequence[bytes], categories: Sequence[str], columns: Columns
) -> dict[str, list[str]]:
    """Which slice each row is part of, by kind."""
    fields = [read_texts(records, name) for name in columns.fields]
    slices = slices_of(categories, list(zip(*fields, strict=True)), columns.separator)
    if columns.slice_by:
        slices[columns.slice_by] = [name.strip() for name in read_texts(records, SLICE)]
    return slices


class ComparisonSpec(ComponentSpec):
    """What the step takes and gives."""

    INPUTS: ClassVar[dict[str, Any]] = {
        "examples": ChannelParameter(type=Examples),
        "model": ChannelParameter(type=Model),
        "evaluated": ChannelParameter(type=ModelBlessing),
    }
    PARAMETERS: ClassVar[dict[str, Any]] = {
        "serving": ExecutionParameter(type=str),
        "rival": ExecutionParameter(type=str),
        "settings": ExecutionParameter(type=str),
        "columns": ExecutionParameter(type=str),
    }
    OUTPUTS: ClassVar[dict[str, Any]] = {"blessing": ChannelParameter(type=ModelBlessing)}


class Comparison(BaseComponent):
    """A model passes where it is no worse than the one that serves, and the Evaluator blessed it.

    Args:
      examples: raw examples with a split `test`.
      model: of the Trainer.
      evaluated: the Evaluator's blessing.
      serving: folder of the versions that were pushed.
      data: what the examples hold.
      evaluation: how far the model may fall.

    Example:
      >>> step = Comparison(  # doctest: +SKIP
      ...     examples, model, evaluated, "serving/prodcls", settings.data, settings.evaluation)
      >>> sorted(step.outputs)  # doctest: +SKIP
      ['blessing']
    """

    SPEC_CLASS = ComparisonSpec
    EXECUTOR_SPEC = ExecutorClassSpec(ComparisonExecutor)
    DRIVER_CLASS = ComparisonDriver

    def __init__(
        self,
        examples: BaseChannel,
        model: BaseChannel,
        evaluated: BaseChannel,
        serving: str,
        data: DataSettings,
        evaluation: EvaluationSettings,
    ) -> None:
        """See the class."""
        bounds = evaluation.model_dump(include={"max_drop", "max_slice_drop", "slice_rows"})
        spec = ComparisonSpec(
            examples=examples,
            model=model,
            evaluated=evaluated,
            serving=serving,
            rival="",  # The driver's business.
            settings=json.dumps(bounds),
            columns=json.dumps(asdict(Columns(data.fields, data.separator, data.slice_by))),
            blessing=Channel(type=ModelBlessing),
        )
        super().__init__(spec=spec)


def _folder(model: Artifact) -> Path:
    return Path(path_utils.serving_model_path(model.uri))


def _tell(done: int, total: int) -> None:
    report("asking both models", done, total)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or "no message"
