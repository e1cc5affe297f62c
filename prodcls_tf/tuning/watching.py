"""What TensorBoard's HParams dashboard shows of a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api

from prodcls_tf.settings import Settings
from prodcls_tf.training.fine_tuning import resolve_learning_rate
from prodcls_tf.tuning.space import Range

_METRICS = ("macro_f1", "accuracy", "weighted_f1", "top3_accuracy")


def write_experiment(folder: Path, names: Iterable[str]) -> None:
    """Says which settings are tried and which figures are shown; once a search.

    Args:
      folder: above those of the trials.
      names: of the settings.
    """
    with tf.summary.create_file_writer(str(folder)).as_default():
        api.hparams_config(
            hparams=[api.HParam(name) for name in names],
            metrics=[api.Metric(_tag(name), display_name=name) for name in _METRICS],
        )


def values_shown(settings: Settings, epochs: int, width: int) -> dict[str, Any]:
    """Finds what a trial trained with, of the settings that the search tries.

    Args:
      settings: of the trial.
      epochs: that it was to have.
      width: of the encoder's states.

    Returns:
      Values by name. `auto` is what it came to, so that the settings as they are stand beside the
      others, on the same axes.

    Example:
      >>> values_shown(Settings(), epochs=6, width=768)["training.learning_rate"]
      5e-05
    """
    values: dict[str, Any] = {}
    for name, tried in settings.tuning.space.dimensions():
        section, _, key = name.partition(".")
        value = getattr(getattr(settings, section), key)
        listed = [] if tried == "auto" or isinstance(tried, Range) else tried
        words = any(isinstance(one, str) for one in listed)
        values[name] = str(value) if words else value
    if values.get("training.learning_rate") == "auto":
        values["training.learning_rate"] = resolve_learning_rate("auto", width)
    if "training.epochs" in values:
        values["training.epochs"] = epochs
    # Axes bear these figures; their last digits would hide what is beside them.
    return {n: float(f"{v:.4g}") if isinstance(v, float) else v for n, v in values.items()}


def write_trial(
    folder: Path, number: str, values: Mapping[str, Any], metrics: Mapping[str, float]
) -> None:
    """Writes what a trial trained with and what came of it.

    Args:
      folder: of the trial's logs.
      number: of the trial.
      values: of the settings that are tried, by name.
      metrics: its figures by name.
    """
    with tf.summary.create_file_writer(str(folder)).as_default(step=0):
        api.hparams(dict(values), trial_id=number)
        for name, value in metrics.items():
            tf.summary.scalar(_tag(name), value)


def _tag(name: str) -> str:
    return f"trial/{name}"
