"""A running average of the weights, which is what is measured and kept."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


class AveragedWeights(tf.Module):
    """Exponential moving average of trained variables.

    The average of the last some hundred steps does better than the last step alone, above all
    while the rate is still high (an idea of Polyak and Juditsky 1992, who averaged all steps). As
    in `tf.train.ExponentialMovingAverage`, no more than `(1 + step) / (10 + step)` is kept, so
    that short trainings do not stay where they started.

    Args:
      variables: what is trained.
      keep: share of the average that each step keeps, in [0, 1); 0 for no averaging.
    """

    def __init__(self, variables: Sequence[tf.Variable], keep: float) -> None:
        super().__init__(name="averaged_weights")
        self._variables = list(variables)
        self._keep = keep
        self._steps = tf.Variable(0.0, trainable=False, name="steps")
        self._averages = [
            tf.Variable(variable, trainable=False, name="average")
            for variable in (self._variables if keep else ())
        ]
        self._update = tf.function(self._update_graph, autograph=False)
        self._swap = tf.function(self._swap_graph, autograph=False)

    def update(self) -> None:
        """Takes a step of training into the average."""
        if self._averages:
            self._update()

    def swap(self) -> None:
        """Exchanges the weights and their average; a second call exchanges them back."""
        if self._averages:
            self._swap()

    def _update_graph(self) -> None:
        self._steps.assign_add(1.0)
        keep = tf.minimum(self._keep, (1.0 + self._steps) / (10.0 + self._steps))
        for variable, average in zip(self._variables, self._averages, strict=True):
            average.assign_sub((1.0 - keep) * (average - variable))

    def _swap_graph(self) -> None:
        for variable, average in zip(self._variables, self._averages, strict=True):
            value = tf.identity(variable)
            variable.assign(tf.identity(average))
            average.assign(value)
