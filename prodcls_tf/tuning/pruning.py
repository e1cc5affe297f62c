"""Which trials are stopped early: those that stay behind the median of the ones before."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Optional

import tensorflow as tf

from prodcls_tf.tuning.results import Course

# Before so many trials are finished, there is no median worth the name.
_FEWEST = 3
# Rates still rise in the first epoch; nothing is judged by it alone.
_SPARED = 1


def bar(courses: Sequence[Course], done: Fraction) -> Optional[float]:
    """What a trial must have reached when a share of its epochs is done.

    After the median stopping rule (Golovin et al. 2017, section 3.2.2): a trial whose best figure
    so far is under the median of what the others had by then will hardly be the best one. Theirs
    takes running means in place of bests. `By then` is the same share of their epochs, not their
    number: rates fall over the whole of a training, so that a short one is ahead after as many.

    Args:
      courses: of the finished trials.
      done: the share, over 0 and up to 1.

    Returns:
      The bar; None where fewer than three trials had an epoch by then.

    Example:
      >>> others = [Course(curve=[0.1 * n, 0.5], epochs=2) for n in (1, 2, 3)]
      >>> bar(others, Fraction(3, 6))
      0.2
    """
    reached = [
        max(course.curve[: int(done * course.epochs)])
        for course in courses
        if int(done * course.epochs) > 0
    ]
    return statistics.median(reached) if len(reached) >= _FEWEST else None


class StopBelow(tf.keras.callbacks.Callback):
    """Stops a training that has not reached the bar.

    Args:
      monitor: the figure of an epoch that counts, higher is better.
      others: how the finished trials went; none where nothing is to be stopped.

    Attributes:
      epochs: that the training is to have, once it has begun.
      stopped: the number of epochs after which it stopped the training; None if it did not.
    """

    def __init__(self, monitor: str, others: Sequence[Course]) -> None:
        super().__init__()
        self._monitor, self._others, self._best = monitor, list(others), float("-inf")
        self.epochs = 0
        self.stopped: Optional[int] = None

    def on_train_begin(self, logs: Optional[dict[str, Any]] = None) -> None:
        """Notes how long the training is to be."""
        self.epochs = self.params["epochs"]

    def on_epoch_end(self, epoch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Judges the epoch."""
        self._best = max(self._best, float((logs or {})[self._monitor]))
        if epoch < _SPARED:
            return
        needed = bar(self._others, Fraction(epoch + 1, self.epochs))
        if needed is not None and self._best < needed:
            self.stopped = epoch + 1
            self.model.stop_training = True
