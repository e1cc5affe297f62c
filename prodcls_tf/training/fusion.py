"""How much each branch has to say, fitted on validation rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.optimize
from scipy.special import log_softmax

# Two or three numbers need no more rows; in memory they would be rows x categories.
_MOST_ROWS = 20_000
_SILENT = 1e-3


def fit_weights(branches: Sequence[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Weighs the branches' logits so that their weighted sum explains the labels best.

    The weights minimize the cross-entropy of the sum: a logarithmic opinion pool (Hinton 2002),
    which also sets the scores' temperature (Guo et al. 2017). Each branch was trained on its own,
    so its training rows say nothing of its worth; validation rows do.

    Args:
      branches: each branch's logits, float [rows, categories].
      labels: int [rows].

    Returns:
      One weight a branch, at least 0.

    Example:
      >>> sure = np.array([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0]])
      >>> fit_weights([sure, -sure], np.array([0, 1, 0])).argmax()
      0
    """
    labels = labels[:_MOST_ROWS]
    logits = np.stack([branch[:_MOST_ROWS].astype(np.float64) for branch in branches])
    rows = np.arange(len(labels))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        log_scores = log_softmax(np.tensordot(weights, logits, axes=1), axis=1)
        gap = np.exp(log_scores)
        gap[rows, labels] -= 1.0
        gradient = np.tensordot(logits, gap, axes=([1, 2], [0, 1])) / len(rows)
        return -float(log_scores[rows, labels].mean()), gradient

    start = np.ones(len(branches))
    # A weight without bound would fit where every validation row is right.
    bounds = [(0.0, 20.0)] * len(branches)
    found = scipy.optimize.minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    # Too few rows, all of them wrong, would silence every branch.
    return found if found.max() > _SILENT else start
