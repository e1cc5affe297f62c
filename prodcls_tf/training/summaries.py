"""What a finished training shows in TensorBoard beside its curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from prodcls_tf.evaluation.metrics import Metrics
from prodcls_tf.settings import Settings
from prodcls_tf.training.category_table import category_table
from prodcls_tf.training.pictures import calibration_picture, confusion_picture


def write_summaries(
    log_dir: Path,
    settings: Settings,
    categories: Sequence[str],
    labels: np.ndarray,
    scores: np.ndarray,
) -> dict[str, tf.Tensor]:
    """Writes what the finished model does to validation rows, and the settings.

    - pictures: `confusion matrix` and `calibration`; the weights of the two branches were fitted
      on the same rows, so new rows may be calibrated less well.
    - histogram: `category F1`, over the categories that occur in labels or predictions.
    - text: `categories by F1`, worst first, and `settings`.

    Args:
      log_dir: TensorBoard's folder; the summaries go to its `validation` run.
      settings: of the training.
      categories: the paths by number.
      labels: int [rows].
      scores: float [rows, categories], each row with sum 1.

    Returns:
      The pictures by name, uint8 [height, width, 4].

    Raises:
      InputError: there are no rows, or scores that are none.
    """
    metrics = Metrics.of(labels, scores, categories)
    pictures = {
        "confusion matrix": confusion_picture(categories, labels, scores.argmax(axis=1)),
        "calibration": calibration_picture(labels, scores),
    }
    with tf.summary.create_file_writer(str(log_dir / "validation")).as_default(step=0):
        yaml = "\n".join(f"    {line}" for line in settings.to_yaml().splitlines())
        tf.summary.text("settings", yaml)
        tf.summary.text("categories by F1", category_table(metrics))
        tf.summary.histogram("category F1", [entry.f1 for entry in metrics.categories])
        for name, pixels in pictures.items():
            tf.summary.image(name, pixels[None])
    return pictures
