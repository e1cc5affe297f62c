"""A whole search: rows and settings in, the best settings out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prodcls_tf.data.table import Rows
from prodcls_tf.errors import OutputError, TrainingError
from prodcls_tf.model.encoder import encoder_folder
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.rows import write_rows
from prodcls_tf.tuning.trials import DEFAULTS, Trials, Tried
from prodcls_tf.tuning.tuner import ProductTuner
from prodcls_tf.tuning.watching import write_experiment

_METRICS = ("macro_f1", "accuracy", "weighted_f1", "top3_accuracy")


@dataclass(frozen=True)
class Search:
    """What a search came to.

    Attributes:
      best: the settings to train with, by name; empty where none was better than those that were.
      trials: all of them, the settings as they were first.
      objective: what was to be best.
    """

    best: Mapping[str, Any]
    trials: list[Tried] = field(repr=False)
    objective: str = "macro_f1"


def prepare(settings: Settings, train: Rows, val: Rows, folder: Path, logs: Path) -> ProductTuner:
    """Makes a search ready to run, and runs the settings as they are, which all others must beat.

    Args:
      settings: with the search's own in `tuning`.
      train: labelled rows to learn from.
      val: labelled rows that trials are measured on.
      folder: where the search keeps its state; one that was killed goes on from there.
      logs: TensorBoard's folder.

    Returns:
      The tuner; its `search()` runs the trials.

    Raises:
      ProdclsError: rows or settings cannot be used, or the settings as they are cannot be trained.
    """
    width = _width(settings)
    try:
        digest = write_rows(folder / "rows", settings, train, val)
        logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"A search needs a folder that can be written. Received {folder}: {error}. Name "
            "another one."
        ) from None
    trials = Trials(folder, logs, settings, digest)
    project = folder / f"oracle-{_identity(settings, digest)}"
    tuner = _tuner(settings, trials, project, width)
    write_experiment(logs, [name for name, _ in settings.tuning.space.dimensions()], _METRICS)
    before = trials.run(DEFAULTS, {}, settings.tuning.max_minutes * 60)
    if before.status == "failed":
        raise TrainingError(
            "The settings as they are must be ones that can be trained. Received from their "
            f"trial: {before.reason}"
        )
    return tuner


def search(settings: Settings, train: Rows, val: Rows, folder: Path, logs: Path) -> Search:
    """Searches for better settings.

    Args:
      settings: with the search's own in `tuning`.
      train: labelled rows to learn from.
      val: labelled rows that trials are measured on.
      folder: where the search keeps its state; one that was killed goes on from there.
      logs: TensorBoard's folder.

    Returns:
      The best settings, and every trial.

    Raises:
      ProdclsError: rows or settings cannot be used, or trials fail one after the other.

    Example:
      >>> settings = Settings.load(overrides=["tuning.trials=10"])
      >>> found = search(settings, train, val, Path("search"), Path("logs"))  # doctest: +SKIP
      >>> better = settings.with_values(found.best)  # doctest: +SKIP
    """
    tuner = prepare(settings, train, val, folder, logs)
    tuner.search()
    return Search(tuner.best_values(), tuner.tried(), settings.tuning.objective)


def _tuner(settings: Settings, trials: Trials, project: Path, width: int) -> ProductTuner:
    try:
        return ProductTuner(settings, trials, project, width)
    except (ValueError, KeyError):
        # A kill while its state was written. The same seed asks for the same trials again, and
        # those that are finished are not run again.
        shutil.rmtree(project)
        return ProductTuner(settings, trials, project, width)


def _identity(settings: Settings, digest: str) -> str:
    """What makes a search this one: another choice of values, or other results."""
    tuning = settings.tuning.model_dump(
        mode="json", include={"algorithm", "objective", "seed", "space"}
    )
    rest = settings.model_dump(
        mode="json", exclude={"tuning": True, "evaluation": True, "pipeline": True, "push": True}
    )
    text = json.dumps([tuning, rest, digest], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _width(settings: Settings) -> int:
    config = encoder_folder(settings.encoder.name) / "config.json"
    return int(json.loads(config.read_text(encoding="utf-8"))["hidden_size"])
