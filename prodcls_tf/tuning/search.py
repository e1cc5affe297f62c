"""A whole search: rows and settings in, the best settings out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from prodcls_tf.data.files import fingerprint
from prodcls_tf.data.table import Rows
from prodcls_tf.errors import OutputError
from prodcls_tf.model.encoder import encoder_folder
from prodcls_tf.settings import Settings
from prodcls_tf.training.wandb_package import check_wandb
from prodcls_tf.tuning.results import Search
from prodcls_tf.tuning.rows import SearchRows
from prodcls_tf.tuning.trials import Trials
from prodcls_tf.tuning.tuner import ProductTuner
from prodcls_tf.tuning.watching import write_experiment

# What its trials do not depend on: with other values of these, a search goes on.
_OUTSIDE = {"enabled", "trials", "max_minutes", "confirm", "min_gain", "workers", "chief"}


def search(settings: Settings, train: Rows, val: Rows, folder: Path, logs: Path) -> Search:
    """Searches for better settings.

    The settings as they are come first: all others must beat them, the best ones with further
    seeds, too.

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
    tuner = prepare(settings, train, val, folder, logs)
    tuner.search()
    return tuner.found()


def prepare(settings: Settings, train: Rows, val: Rows, folder: Path, logs: Path) -> ProductTuner:
    """Prepares a search, with its rows on disk, for one who runs it.

    Args:
      settings: as in `search`, and so are the others.
      train: labelled rows to learn from.
      val: labelled rows that trials are measured on.
      folder: where searches keep their state.
      logs: TensorBoard's folder.

    Returns:
      KerasTuner's kind of search.

    Raises:
      ProdclsError: rows or settings cannot be used, or a folder cannot be written.
    """
    check_wandb(settings.wandb)
    encoder, rows = encoder_folder(settings.encoder.name), SearchRows.choose(settings, train, val)
    name = _name(settings, rows, encoder)
    folder, logs = folder / name, logs / name
    try:
        rows.write(folder / "rows")
        logs.mkdir(parents=True, exist_ok=True)
        if not any(logs.glob("*.tfevents.*")):
            write_experiment(logs, dict(settings.tuning.space.dimensions()))
    except OSError as error:
        raise OutputError(
            f"A search needs folders that can be written. Received {folder} and {logs}: {error}. "
            "Name others."
        ) from None
    trials = Trials(folder, logs, settings)
    return ProductTuner(settings, trials, folder, _width(encoder), rows=len(rows.val))


def _name(settings: Settings, rows: SearchRows, encoder: Path) -> str:
    """What makes a search this one: another choice of values, or other results."""
    tuning = settings.tuning.model_dump(mode="json", exclude=_OUTSIDE)
    beside = {"tuning", "tensorboard", "wandb", "evaluation", "pipeline", "push"}
    rest = settings.model_dump(mode="json", exclude=beside)
    weights = fingerprint(sorted(path for path in encoder.iterdir() if path.is_file()))
    text = json.dumps([tuning, rest, rows.digest(), weights], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _width(encoder: Path) -> int:
    config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))
    return int(config["hidden_size"])
