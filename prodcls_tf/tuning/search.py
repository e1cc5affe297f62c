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
from prodcls_tf.tuning.rows import SearchRows
from prodcls_tf.tuning.trials import DEFAULTS, OutOfTimeError, Trials, Tried
from prodcls_tf.tuning.tuner import ProductTuner
from prodcls_tf.tuning.watching import write_experiment


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


def search(settings: Settings, train: Rows, val: Rows, folder: Path, logs: Path) -> Search:
    """Searches for better settings.

    The settings as they are come first: all others must beat them.

    Args:
      settings: with the search's own in `tuning`.
      train: labelled rows to learn from.
      val: labelled rows that trials are measured on.
      folder: where searches keep their state, each in a folder of its own; one that was killed goes
        on from there.
      logs: TensorBoard's folder; each search gets one in it.

    Returns:
      The best settings, and every trial.

    Raises:
      ProdclsError: rows or settings cannot be used, the folder cannot be written, or trials fail
        one after the other.

    Example:
      >>> settings = Settings.load(overrides=["tuning.trials=10"])
      >>> found = search(settings, train, val, Path("search"), Path("logs"))  # doctest: +SKIP
      >>> better = settings.with_values(found.best)  # doctest: +SKIP
    """
    width, rows = _width(settings), SearchRows.choose(settings, train, val)
    name = _name(settings, rows)
    folder, logs = folder / name, logs / name
    trials = Trials(folder, logs, settings)
    try:
        rows.write(folder / "rows")
        if not logs.exists():
            logs.mkdir(parents=True)
            write_experiment(logs, dict(settings.tuning.space.dimensions()))
    except OSError as error:
        raise OutputError(
            f"A search needs folders that can be written. Received {folder} and {logs}: {error}. "
            "Name others."
        ) from None
    tuner = _tuner(settings, trials, folder / "oracle", width)
    _run_defaults(trials, settings)
    tuner.search()
    return Search(tuner.best_values(), tuner.tried(), settings.tuning.objective)


def _run_defaults(trials: Trials, settings: Settings) -> None:
    minutes = settings.tuning.max_minutes
    try:
        result = trials.run(DEFAULTS, {}, minutes * 60)
    except OutOfTimeError:
        raise TrainingError(
            "A search has time for the settings as they are, and for more. Received "
            f"tuning.max_minutes of {minutes:g}, in which not even their trial ended. Give more "
            "minutes, or fewer tuning.rows."
        ) from None
    if result.status == "failed":
        raise TrainingError(
            "The settings as they are must be ones that can be trained. Received from their "
            f"trial: {result.reason}"
        )


def _tuner(settings: Settings, trials: Trials, project: Path, width: int) -> ProductTuner:
    try:
        return ProductTuner(settings, trials, project, width)
    except (ValueError, KeyError):
        # A kill while its state was written. The same seed asks for the same trials again, and
        # those that are finished are not run again.
        shutil.rmtree(project)
        return ProductTuner(settings, trials, project, width)


def _name(settings: Settings, rows: SearchRows) -> str:
    """What makes a search this one: another choice of values, or other results."""
    # With more trials, or more time, a search goes on.
    tuning = settings.tuning.model_dump(mode="json", exclude={"trials", "max_minutes", "confirm"})
    beside = {"tuning", "tensorboard", "evaluation", "pipeline", "push"}
    rest = settings.model_dump(mode="json", exclude=beside)
    text = json.dumps([tuning, rest, rows.digest()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _width(settings: Settings) -> int:
    config = encoder_folder(settings.encoder.name) / "config.json"
    return int(json.loads(config.read_text(encoding="utf-8"))["hidden_size"])
