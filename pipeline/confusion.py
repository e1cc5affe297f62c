"""Accuracy, F1 averages and a report per category, from confusion counts.

Those of scikit-learn, as in prodcls_tf/evaluation/metrics.py: a count is a row's weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

# Counts of (right category, predicted category).
Confusion = Mapping[tuple[int, int], float]
Reports = dict[int, dict[str, float]]


def report(confusion: Confusion) -> Reports:
    """Precision, recall, F1 and rows of each category that occurs.

    Args:
      confusion: rows by right and predicted category.

    Returns:
      By category number: `precision`, `recall`, `f1` (0 where undefined) and `rows`.

    Example:
      >>> report({(0, 0): 3, (1, 0): 1})[0]
      {'precision': 0.75, 'recall': 1.0, 'f1': 0.8571428571428571, 'rows': 3.0}
    """
    counted = _columns(confusion)
    present = np.union1d(counted["y_true"], counted["y_pred"])
    columns = precision_recall_fscore_support(**counted, labels=present, zero_division=0)
    names = ("precision", "recall", "f1", "rows")
    return {
        int(category): dict(zip(names, map(float, figures), strict=True))
        for category, *figures in zip(present, *columns, strict=True)
    }


def accuracy(confusion: Confusion) -> float:
    """Share of rows whose best category is right."""
    return float(accuracy_score(**_columns(confusion)))


def macro_f1(confusion: Confusion) -> float:
    """Mean F1 over the categories that occur."""
    return float(f1_score(**_columns(confusion), average="macro", zero_division=0))


def weighted_f1(confusion: Confusion) -> float:
    """Mean F1 over the categories, weighted by their rows."""
    return float(f1_score(**_columns(confusion), average="weighted", zero_division=0))


def _columns(confusion: Confusion) -> dict[str, Any]:
    """The counts as scikit-learn takes them: a row for each pair that occurs."""
    pairs = np.array([pair for pair, rows in confusion.items() if rows], int)
    rows = np.array([rows for rows in confusion.values() if rows], float)
    return {"y_true": pairs[:, 0], "y_pred": pairs[:, 1], "sample_weight": rows}
