"""From the artifacts of a run to its summary."""

from __future__ import annotations

import json
import platform
import resource
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
import tensorflow_model_analysis as tfma
import tfx.version
import transformers
from tfx.types import Artifact
from tfx.utils import path_utils

import prodcls_tf
from pipeline.arguments import Sources
from pipeline.comparison import CATEGORIES
from pipeline.example_gen import INTAKE_REPORT, REJECTS, SPLITS_FILE
from pipeline.gates import OWN_GATES, GateReport
from pipeline.launching import Step
from pipeline.schema_gate import ANOMALIES
from pipeline.summary import SplitFigures, Summary
from pipeline.trainer_fn import clear_curves
from pipeline.tuning import read_search
from prodcls_tf.data.anomalies import AnomalyReport
from prodcls_tf.errors import SettingsError
from prodcls_tf.export.saved_model import EXTRA_FOLDER, METRICS_FILE
from prodcls_tf.release.order import config_file, read_order
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.results import Search

_SETTING_OF = {"accuracy": "evaluation.min_accuracy", "macro_f1": "evaluation.min_macro_f1"}


class IntakeFiles(NamedTuple):
    """What intake leaves beside the examples.

    Attributes:
      report: what it found.
      rejects: the rows it left out.
      splits: which split each key went to.
    """

    report: Path
    rejects: Path
    splits: Path


def collect(steps: Mapping[str, Step], settings: Settings, sources: Sources) -> Summary:
    """Gathers what a finished run came to.

    Args:
      steps: all steps of the run.
      settings: of the run.
      sources: its product files.

    Returns:
      The summary.
    """
    best = found(steps).best if settings.tuning.enabled else {}
    destination = pushed_destination(_output(steps, "Pusher", "pushed_model"))
    return Summary(
        model=destination,
        pushed=destination is not None,
        reason=_reason(steps, destination),
        splits=_figures(_output(steps, "Trainer", "model")),
        seconds={name: round(step.seconds, 2) for name, step in steps.items()},
        cached=[name for name, step in steps.items() if step.cached],
        # Linux counts kilobytes.
        peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        versions={
            "prodcls": prodcls_tf.__version__,
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "tfx": tfx.version.__version__,
            "transformers": transformers.__version__,
        },
        fingerprint=sources.fingerprint,
        spans=sources.spans,
        settings=settings.with_values(best).model_dump(mode="json"),
        hparams=best,
        comparison=_report(steps, "Comparison").comparison,
        anomalies=anomalies(steps).anomalies,
    )


def intake_files(steps: Mapping[str, Step]) -> IntakeFiles:
    """Returns what intake has left beside the examples; a cached step's are of its first run."""
    folder = Path(_output(steps, "ProductExampleGen", "examples").uri)
    return IntakeFiles(folder / INTAKE_REPORT, folder / REJECTS, folder / SPLITS_FILE)


def categories_file(steps: Mapping[str, Step]) -> Path | None:
    """Returns the table of what became of each category, None where nothing was compared."""
    file = Path(_output(steps, "Comparison", "blessing").uri, CATEGORIES)
    return file if file.is_file() else None


def anomalies(steps: Mapping[str, Step]) -> AnomalyReport:
    """Returns what the gate found unusual; nothing where it is switched off."""
    if "SchemaGate" not in steps:
        return AnomalyReport()
    file = Path(_output(steps, "SchemaGate", "anomalies").uri, ANOMALIES)
    return AnomalyReport.model_validate_json(file.read_text(encoding="utf-8"))


def found(steps: Mapping[str, Step]) -> Search:
    """Returns what the run's search came to, be it one of this run or a former one."""
    return read_search(_output(steps, _searching(steps), "tuner_results"))


def show_curves(steps: Mapping[str, Step], logs: Path) -> None:
    """Puts the curves of a cached training back: another one may have drawn there since.

    Args:
      steps: all steps of the run.
      logs: TensorBoard's folder.
    """
    if steps["Trainer"].cached:
        clear_curves(logs)
        shutil.copytree(_output(steps, "Trainer", "model_run").uri, logs, dirs_exist_ok=True)


def pushed_destination(push: Artifact) -> str | None:
    """Returns the folder that the Pusher wrote, None where it did not push."""
    if push.get_int_custom_property("pushed") != 1:
        return None
    return push.get_string_custom_property("pushed_destination")


def _searching(steps: Mapping[str, Step]) -> str:
    return "Tuner" if "Tuner" in steps else "FormerSearch"


def _output(steps: Mapping[str, Step], step: str, name: str) -> Artifact:
    (artifact,) = steps[step].outputs[name]
    return artifact


def _report(steps: Mapping[str, Step], gate: str) -> GateReport:
    return GateReport.read(Path(_output(steps, gate, "blessing").uri))


def _figures(model: Artifact) -> dict[str, SplitFigures]:
    path = Path(path_utils.serving_model_path(model.uri), EXTRA_FOLDER, METRICS_FILE)
    splits = json.loads(path.read_text(encoding="utf-8"))
    return {split: SplitFigures.model_validate(values) for split, values in splits.items()}


def _reason(steps: Mapping[str, Step], destination: str | None) -> str:
    if destination is not None:
        version = Path(destination).name
        if steps["Pusher"].cached:
            pushed = f"nothing changed: version {version} was pushed by an earlier run"
        else:
            pushed = f"the model passed every gate and was pushed as version {version}"
        return pushed + _on_hold(Path(destination))
    evaluation = _output(steps, "Evaluator", "evaluation")
    failures = [
        _failure(failure)
        for validation in tfma.load_validation_result(evaluation.uri).metric_validations_per_slice
        for failure in validation.failures
    ]
    for gate in OWN_GATES:
        failures += _report(steps, gate).reasons
    if not failures:
        failures = [_output(steps, "Pusher", "pushed_model").get_string_custom_property("reason")]
    return f"the model was not pushed: {'; '.join(failures)}"


def _on_hold(version: Path) -> str:
    """Says so where `models.config` has another version serve; on an object store, nothing."""
    try:
        order = read_order(version.parent)
    except SettingsError as error:
        return f"; which version serves is not known: {error}"
    if order.follows or int(version.name) in order.pinned:
        return ""
    return (
        f"; it waits, since {config_file(version.parent)} names what serves: "
        f"prodcls models promote {version.name}"
    )


def _failure(failure: tfma.validation_result_pb2.ValidationFailure) -> str:
    name = failure.metric_key.name
    bound = failure.metric_threshold.value_threshold.lower_bound.value
    setting = _SETTING_OF.get(name, name)
    if not failure.HasField("metric_value"):
        return f"there was no test row to measure {name} on"
    value = failure.metric_value.double_value.value
    return f"{name} on test rows is {value:.3f}, under {setting} of {bound:.3f}"
