"""Which trials are stopped early: those that stay behind the median of the ones before."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Optional

import tensorflow as tf

# Before so many trials are finished, there is no median worth the name.
_FEWEST = 3
# Rates still rise in the first epoch; nothing is judged by it alone.
_SPARED = 1


def bars(curves: Sequence[Sequence[float]]) -> list[float]:
    """What a trial must have reached after each epoch.

    The median stopping rule (Golovin et al. 2017, section 3.2.2): a trial whose best figure so far
    is under the median of what the others had by the same epoch will hardly be the best one.

    Args:
      curves: of each finished trial, its figure after each epoch.

    Returns:
      The bar by epoch, as far as enough trials came; empty for none.

    Example:
      >>> bars([[0.1, 0.5, 0.4], [0.2, 0.6], [0.3, 0.7]])
      [0.2, 0.6]
    """
    best = [[max(curve[: epoch + 1]) for epoch in range(len(curve))] for curve in curves]
    found = []
    for epoch in range(max(map(len, best), default=0)):
        reached = [curve[epoch] for curve in best if epoch < len(curve)]
        if len(reached) < _FEWEST:
            break
        found.append(statistics.median(reached))
    return found


class StopBelow(tf.keras.callbacks.Callback):
    """Stops a training that has not reached the bar.

    Args:
      monitor: the figure of an epoch that counts, higher is better.
      bars: by epoch.

    Attributes:
      stopped: the number of epochs after which it stopped the training; None if it did not.
    """

    def __init__(self, monitor: str, bars: Sequence[float]) -> None:
        super().__init__()
        self._monitor, self._bars, self._best = monitor, list(bars), float("-inf")
        self.stopped: Optional[int] = None

    def on_epoch_end(self, epoch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Judges the epoch."""
        self._best = max(self._best, float((logs or {})[self._monitor]))
        if _SPARED <= epoch < len(self._bars) and self._best < self._bars[epoch]:
            self.stopped = epoch + 1
            self.model.stop_training = True
