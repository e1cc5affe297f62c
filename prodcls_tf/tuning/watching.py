"""What TensorBoard's HParams dashboard shows of a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api

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


def write_trial(
    folder: Path, number: str, values: Mapping[str, Any], metrics: Mapping[str, float]
) -> None:
    """Writes what a trial tried and what came of it.

    Args:
      folder: of the trial's logs.
      number: of the trial.
      values: the settings that it tried, by name.
      metrics: its figures by name.
    """
    with tf.summary.create_file_writer(str(folder)).as_default(step=0):
        api.hparams(dict(values), trial_id=number)
        for name, value in metrics.items():
            tf.summary.scalar(_tag(name), value)


def _tag(name: str) -> str:
    return f"trial/{name}"
