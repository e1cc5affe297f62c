"""The trainings in an output folder, from ML Metadata and from what the runs left beside it.

Nothing is written, and a run that is at work there is not held up. Imports neither TFX nor
TensorFlow: a list of runs is there in a moment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.gates import GATES, GateReport
from pipeline.out_folder import OutFolder
from pipeline.records import Records, here, step_of, text
from pipeline.summary import SplitFigures, Summary
from pipeline.training import Origin, StepTime, Training, Unfinished, Version
from pipeline.verdict import bounds_of, verdict
from pipeline.versions import number, serving_version
from prodcls_tf.errors import InputError, SettingsError
from prodcls_tf.features import CATEGORIES_ASSET

# TFX's name for the SavedModel inside the Trainer's artifact.
_EXPORT = "Format-Serving"


@dataclass(frozen=True)
class History:
    """What an output folder remembers.

    Attributes:
      out: the folder.
      trainings: models that were trained, the newest first.
      unfinished: trainings that did not end, the newest first.
      at_work: whether a run is at work in the folder.
      problems: what could not be read, in words for a person.
    """

    out: Path
    trainings: tuple[Training, ...]
    unfinished: tuple[Unfinished, ...]
    at_work: bool
    problems: tuple[str, ...]


def is_out_folder(folder: Path) -> bool:
    """Says whether a folder is one that `prodcls run --out` was given."""
    out = OutFolder(folder)
    return out.metadata.is_file() or out.summary.is_file()


def read_history(folder: Path) -> History:
    """Reads what an output folder remembers; what is damaged or lost is told, not raised.

    Args:
      folder: the output folder. One that was moved or copied is read where it is now.

    Returns:
      Its history.

    Example:
      >>> [training.id for training in read_history(Path("runs/mine")).trainings]  # doctest: +SKIP
      [30, 6]
    """
    out = OutFolder(folder.expanduser().absolute())
    problems: list[str] = []
    summary = _read_summary(out.summary, problems)
    at_work = out.at_work()
    try:
        records = Records.read(out.metadata)
    except InputError as error:
        # A first run that has just begun has made the file, but not its tables.
        problems.append(f"{out.root}: nothing to read yet" if at_work else str(error))
        known = () if summary is None else (_of_summary(out, summary),)
        return History(folder, known, (), at_work, tuple(problems))
    reader = _Reader(out, records, summary)
    trainings = [
        reader.training(execution)
        for execution in records.of_step("Trainer")
        if execution.last_known_state == pb.Execution.COMPLETE
    ]
    return History(
        folder,
        tuple(reversed(trainings)),
        tuple(reversed(list(_unfinished(out, records, at_work)))),
        at_work,
        tuple(problems),
    )


class _Reader:
    """Gathers what is known of each training of an output folder."""

    def __init__(self, out: OutFolder, records: Records, summary: Summary | None) -> None:
        self._out = out
        self._records = records
        self._summary = summary

    def training(self, execution: pb.Execution) -> Training:
        """Gathers what is known of a Trainer's execution that ended well."""
        made = self._records.outputs.get(execution.id, {})
        artifact = made.get("model")
        known = Training(
            out=self._out.root,
            id=execution.id,
            trained=_moment(execution.last_update_time_since_epoch),
            seconds=_seconds(execution),
            settings=_settings(execution),
            origin=self._origin(execution),
            steps=self._steps(execution.id),
            categories=self._categories(execution.id),
        )
        if artifact is None:
            return replace(known, missing=("the Trainer's model is not in ML Metadata",))
        model = here(self._out.artifacts, artifact.uri, 3) / _EXPORT
        figures, missing = _figures(model)
        # The weights of old trainings are removed, their figures are not.
        whole = model if (model / "saved_model.pb").is_file() else None
        known = replace(known, model=whole, figures=figures, missing=missing)
        if "hyperparameters" in self._records.inputs.get(execution.id, {}):
            known = _with_found_settings(known, model)
        return self._with_summary(self._with_fate(known, artifact), artifact)

    def _with_fate(self, known: Training, model: pb.Artifact) -> Training:
        """Adds what the gates and the Pusher made of the model."""
        settings = {section: dict(values) for section, values in known.settings.items()}
        evaluation = None
        words: dict[str, bool] = {}
        reports = [GateReport()]
        for gate in GATES:
            # The last word holds: the same model may have been measured against several bounds.
            for execution in self._records.readers(model, gate)[-1:]:
                made = self._records.outputs.get(execution.id, {})
                if "blessing" in made:
                    blessing = made["blessing"]
                    words[gate] = blessing.custom_properties["blessed"].int_value == 1
                    reports.append(GateReport.read(here(self._out.artifacts, blessing.uri, 3)))
                if "evaluation" in made:
                    evaluation = here(self._out.artifacts, made["evaluation"].uri, 3)
                bounds = bounds_of(text(execution, "eval_config"))
                bounds.update(_json(text(execution, "settings")))
                settings.setdefault("evaluation", {}).update(bounds)
        blessed = all(words.values()) if "Evaluator" in words else None
        pushers = self._records.readers(model, "Pusher")
        for execution in pushers[-1:]:
            name = _model_name(text(execution, "push_destination"))
            settings.setdefault("push", {}).update({"model_name": name} if name else {})
        versions = self._versions(pushers)
        kept = [version.folder for version in reversed(versions) if version.there]
        if kept and not known.figures:
            # A pushed version is a copy of the model, figures and all.
            figures, missing = _figures(kept[0])
            known = replace(known, figures=figures, missing=missing)
        return replace(
            known,
            settings=settings,
            blessed=blessed,
            comparison=next(filter(None, (report.comparison for report in reports)), None),
            versions=versions,
            evaluation=evaluation,
            verdict=verdict(
                blessed,
                versions,
                settings.get("evaluation", {}),
                known.test,
                [reason for report in reports for reason in report.reasons],
            ),
        )

    def _with_summary(self, known: Training, model: pb.Artifact) -> Training:
        """Adds what the summary of the last run says, where that run is about this model."""
        summary = self._summary
        if summary is None or not self._records.runs:
            return known
        trainers = self._records.of_step("Trainer", self._records.runs[-1])
        made = (self._records.outputs.get(trainer.id, {}).get("model") for trainer in trainers)
        if not any(artifact is not None and artifact.id == model.id for artifact in made):
            return known
        if known.figures and known.figures != summary.splits:
            return known
        telling = _telling(summary)
        # Where a search found other settings, the summary has them.
        settings = {name: telling.get(name, given) for name, given in known.settings.items()}
        return replace(
            known,
            figures=known.figures or summary.splits,
            missing=(),
            settings=settings or telling,
            software=summary.versions,
        )

    def _versions(self, pushers: list[pb.Execution]) -> tuple[Version, ...]:
        folders = set()
        for pusher in pushers:
            push = self._records.outputs.get(pusher.id, {}).get("pushed_model")
            if push is not None and push.custom_properties["pushed"].int_value == 1:
                folders.add(here(self._out.serving, text(push, "pushed_destination"), 2))
        return tuple(
            _version(folder)
            for folder in sorted((f for f in folders if f.name.isdigit()), key=number)
        )

    def _origin(self, trainer: pb.Execution) -> Origin:
        """Follows the examples back to the step that read the product files."""
        encoder = _json(text(trainer, "custom_config")).get("encoder_digest", "")
        execution: pb.Execution | None = trainer
        while execution is not None and step_of(execution) != "ProductExampleGen":
            examples = self._records.inputs.get(execution.id, {}).get("examples")
            execution = None if examples is None else self._records.maker(examples)
        if execution is None:
            return Origin(encoder=str(encoder))
        base = text(execution, "input_base")
        splits = _json(text(execution, "input_config")).get("splits", [])
        config = _json(text(execution, "custom_config")).get("custom_config", {})
        return Origin(
            files=tuple(str(Path(base, split["pattern"])) for split in splits),
            fingerprint=text(execution, "input_fingerprint"),
            code=str(config.get("value", {}).get("version", "")),
            encoder=str(encoder),
        )

    def _steps(self, trainer: int) -> tuple[StepTime, ...]:
        run = next((run for run in self._records.runs if trainer in run), [])
        found = [self._records.executions[n] for n in run if n in self._records.executions]
        return tuple(
            StepTime(
                step_of(execution),
                _seconds(execution),
                execution.last_known_state == pb.Execution.CACHED,
            )
            for execution in found
            if execution.last_known_state in (pb.Execution.COMPLETE, pb.Execution.CACHED)
        )

    def _categories(self, trainer: int) -> Path | None:
        graph = self._records.inputs.get(trainer, {}).get("transform_graph")
        if graph is None:
            return None
        folder = here(self._out.artifacts, graph.uri, 3)
        return folder / "transform_fn" / "assets" / CATEGORIES_ASSET


def _of_summary(out: OutFolder, summary: Summary) -> Training:
    """What a summary alone tells of the last run."""
    model = None if summary.model is None else here(out.serving, summary.model, 2)
    versions: tuple[Version, ...] = ()
    if model is not None:
        versions = (_version(model),)
    return Training(
        out=out.root,
        seconds=None if "Trainer" in summary.cached else summary.seconds.get("Trainer"),
        model=model,
        figures=summary.splits,
        settings=_telling(summary),
        comparison=summary.comparison,
        verdict=summary.reason,
        versions=versions,
        steps=tuple(
            StepTime(step, seconds, step in summary.cached)
            for step, seconds in summary.seconds.items()
        ),
        software=summary.versions,
        missing=("when it was trained, and all runs before the last",),
    )


def _version(folder: Path) -> Version:
    try:
        serves = folder == serving_version(folder.parent)
    except SettingsError:  # `prodcls models list` tells what is wrong with models.config
        serves = False
    return Version(folder, folder.is_dir(), serves)


def _unfinished(out: OutFolder, records: Records, at_work: bool) -> list[Unfinished]:
    made_up = {
        text(execution, "custom_config"): execution.id
        for execution in records.of_step("Trainer")
        if execution.last_known_state == pb.Execution.COMPLETE
    }
    begun = [
        execution
        for execution in records.of_step("Trainer")
        if execution.last_known_state not in (pb.Execution.COMPLETE, pb.Execution.CACHED)
        and made_up.get(text(execution, "custom_config"), 0) < execution.id
    ]
    # ML Metadata says RUNNING of a killed training for ever; at work can only be the last one.
    last = max(records.executions, default=0)
    return [
        Unfinished(
            out.root,
            execution.id,
            _moment(execution.create_time_since_epoch),
            "failed"
            if execution.last_known_state == pb.Execution.FAILED
            else "under way"
            if at_work and execution.id == last
            else "killed",
        )
        for execution in begun
    ]


def _telling(summary: Summary) -> dict[str, Any]:
    """The settings that a model depends on: all but those of the machine it was trained on."""
    return {name: values for name, values in summary.settings.items() if name != "pipeline"}


def _read_summary(file: Path, problems: list[str]) -> Summary | None:
    try:
        return Summary.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        problems.append(f"{file} is damaged, or of another version of prodcls: it is left out")
        return None


def _figures(model: Path) -> tuple[dict[str, SplitFigures], tuple[str, ...]]:
    """Reads a model's figures, and says what is missing."""
    if not model.is_dir():
        return {}, (f"the figures: the model was deleted, {model}",)
    file = model / "assets.extra" / "metrics.json"
    try:
        splits = json.loads(file.read_text(encoding="utf-8"))
        return {name: SplitFigures.model_validate(values) for name, values in splits.items()}, ()
    except (OSError, ValueError, AttributeError):
        return {}, (f"the figures: {file} is missing or damaged",)


def _with_found_settings(known: Training, model: Path) -> Training:
    """Lays over the settings what a search found, which the Trainer's own settings do not have."""
    file = model / "assets.extra" / "settings.yaml"
    try:
        stored = yaml.safe_load(file.read_text(encoding="utf-8"))
        settings = {name: dict(stored[name]) for name in known.settings}
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        lost = f"the settings that a search found: {file} is missing or damaged"
        return replace(known, missing=(*known.missing, lost))
    # A model's name is not the Trainer's business.
    settings.get("push", {}).pop("model_name", None)
    return replace(known, settings=settings)


def _settings(trainer: pb.Execution) -> dict[str, dict[str, Any]]:
    """The settings that the Trainer was given."""
    try:
        values = yaml.safe_load(str(_json(text(trainer, "custom_config")).get("settings", "")))
    except yaml.YAMLError:
        return {}
    if not isinstance(values, dict):
        return {}
    return {section: dict(given) for section, given in values.items() if isinstance(given, dict)}


def _model_name(destination: str) -> str:
    filesystem = _json(destination).get("filesystem")
    base = filesystem.get("base_directory", "") if isinstance(filesystem, dict) else ""
    return Path(str(base)).name


def _json(written: str) -> Mapping[str, Any]:
    try:
        values = json.loads(written or "{}")
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def _seconds(execution: pb.Execution) -> float:
    return (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000
