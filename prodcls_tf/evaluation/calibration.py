"""Whether scores mean what they say: of rows with score 0.8, eight in ten should be right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prodcls_tf.errors import InputError

# A softmax of float32 may end a hair over 1.
_SLACK = 1e-4


@dataclass(frozen=True)
class Calibration:
    """A reliability diagram and its one figure (Guo et al. 2017, section 2).

    The bins are of equal width. A bin without rows has score and accuracy 0.

    Attributes:
      edges: float64 [bins + 1], from 0 to 1; a bin includes its upper edge.
      rows: int64 [bins], rows whose best score falls into the bin.
      score: float64 [bins], their mean best score.
      accuracy: float64 [bins], share of them whose best category is right.
      error: the expected calibration error: the mean gap between score and accuracy, each bin
        weighted by its rows.

    Example:
      >>> scores = np.array([[0.9, 0.1], [0.1, 0.9]])
      >>> round(Calibration.of(np.array([0, 1]), scores).error, 3)
      0.1
    """

    edges: np.ndarray
    rows: np.ndarray
    score: np.ndarray
    accuracy: np.ndarray
    error: float

    @classmethod
    def of(cls, labels: np.ndarray, scores: np.ndarray, bins: int = 10) -> Calibration:
        """Measures scores against labels.

        Args:
          labels: int [rows], the right category of each row.
          scores: float [rows, categories], each 0 to 1.
          bins: number of bins.

        Returns:
          The diagram's figures.

        Raises:
          InputError: there are no rows or no bins, or a best score is not between 0 and 1.
        """
        if len(labels) == 0 or bins < 1:
            raise InputError(
                "Calibration needs labelled rows, and at least one bin. Received "
                f"{len(labels)} rows and {bins} bins."
            )
        best = scores.max(axis=1).astype(np.float64)
        if not np.all((best >= 0.0) & (best <= 1.0 + _SLACK)):
            raise InputError(
                "Calibration needs scores between 0 and 1. Received best scores from "
                f"{best.min()} to {best.max()}. Give probabilities, not logits."
            )
        right = scores.argmax(axis=1) == labels
        place = np.clip(np.ceil(best * bins).astype(int) - 1, 0, bins - 1)
        rows = np.bincount(place, minlength=bins)
        score = np.bincount(place, best, bins) / np.maximum(rows, 1)
        accuracy = np.bincount(place, right, bins) / np.maximum(rows, 1)
        return cls(
            edges=np.linspace(0.0, 1.0, bins + 1),
            rows=rows,
            score=score,
            accuracy=accuracy,
            error=float(np.sum(rows * np.abs(score - accuracy)) / len(labels)),
        )
