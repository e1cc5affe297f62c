"""The loss and the streaming metric of fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np
import tensorflow as tf


class SmoothedCrossEntropy(tf.keras.losses.Loss):
    """Cross-entropy of integer labels with label smoothing and class weights.

    Label smoothing after Szegedy et al. (2016, section 7): the right category is given
    `1 - smoothing` of the mass, the rest is spread over all.

    Args:
      class_weights: float [categories], each row's loss is multiplied by its category's.
      smoothing: share of the mass that is spread, in [0, 1).
    """

    def __init__(self, class_weights: np.ndarray, smoothing: float = 0.0) -> None:
        super().__init__(name="cross_entropy")
        self.class_weights = tf.constant(class_weights, tf.float32)
        self.smoothing = smoothing

    def call(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Returns one loss a row, float32 [batch]."""
        labels = tf.reshape(tf.cast(labels, tf.int32), [-1])
        categories = tf.shape(logits)[-1]
        targets = tf.one_hot(labels, categories) * (1.0 - self.smoothing)
        targets += self.smoothing / tf.cast(categories, tf.float32)
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, tf.cast(logits, tf.float32))
        return losses * tf.gather(self.class_weights, labels)


def class_weights(labels: np.ndarray, categories: int, exponent: float) -> np.ndarray:
    """Weights rare categories up.

    Args:
      labels: int [rows].
      categories: number of categories.
      exponent: a category of n rows weighs n ** -exponent; 0 weighs all alike, 1 gives every
        category the same say.

    Returns:
      float [categories], scaled so that the mean weight of a row is 1.
    """
    counts = np.bincount(labels, minlength=categories)
    weights = np.maximum(counts, 1.0) ** -exponent
    return weights / np.mean(weights[labels])


class MacroF1(tf.keras.metrics.Metric):
    """Mean F1 over the categories that occur in labels or predictions, batch by batch.

    Args:
      categories: number of categories.
      name: of the metric in logs.
    """

    def __init__(self, categories: int, name: str = "macro_f1") -> None:
        super().__init__(name=name)
        self.categories = categories
        self.hits, self.predicted, self.actual = (
            self.add_weight(name=name, shape=[categories], initializer="zeros")
            for name in ("hits", "predicted", "actual")
        )

    def update_state(
        self,
        labels: tf.Tensor,
        logits: tf.Tensor,
        sample_weight: Optional[Sequence[float]] = None,
    ) -> None:
        """Counts a batch; sample weights do not matter to an F1 of rows."""
        labels = tf.reshape(tf.cast(labels, tf.int32), [-1])
        best = tf.argmax(logits, axis=-1, output_type=tf.int32)

        def count(numbers: tf.Tensor) -> tf.Tensor:
            return tf.math.bincount(
                numbers,
                minlength=self.categories,
                maxlength=self.categories,
                dtype=tf.float32,
            )

        self.hits.assign_add(count(tf.boolean_mask(labels, labels == best)))
        self.predicted.assign_add(count(best))
        self.actual.assign_add(count(labels))

    def result(self) -> tf.Tensor:
        """Returns the macro-F1 of all rows so far, a scalar in [0, 1]."""
        total = self.predicted + self.actual
        present = tf.reduce_sum(tf.cast(total > 0, tf.float32))
        return tf.math.divide_no_nan(
            tf.reduce_sum(tf.math.divide_no_nan(2.0 * self.hits, total)), present
        )

    def reset_state(self) -> None:
        """Forgets all rows; Keras can reset only metrics whose state is scalar."""
        for count in (self.hits, self.predicted, self.actual):
            count.assign(tf.zeros_like(count))
