"""Curves over the epochs of a training, for Weights & Biases."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from prodcls_tf.training.wandb_run import WandbRun


class WandbCurves(tf.keras.callbacks.Callback):
    """Hands the figures of each epoch to a run of Weights & Biases.

    Args:
      run: that gets them.

    Example:
      >>> model.fit(data, callbacks=[WandbCurves(run)])  # doctest: +SKIP
    """

    def __init__(self, run: WandbRun) -> None:
        super().__init__()
        self._run = run

    def on_epoch_end(self, epoch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Adds the epoch's figures."""
        self._run.add_epoch(epoch, logs or {})
