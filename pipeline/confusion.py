"""Accuracy, F1 averages and a report per category, from confusion counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

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
    rows: defaultdict[int, float] = defaultdict(float)
    predicted: defaultdict[int, float] = defaultdict(float)
    for (actual, guess), number in confusion.items():
        rows[actual] += number
        predicted[guess] += number
    reports = {}
    for category in sorted({*rows, *predicted}):
        right = confusion.get((category, category), 0.0)
        reports[category] = {
            "precision": right / predicted[category] if predicted[category] else 0.0,
            "recall": right / rows[category] if rows[category] else 0.0,
            "f1": 2 * right / (rows[category] + predicted[category]),
            "rows": rows[category],
        }
    return reports


def accuracy(confusion: Confusion) -> float:
    """Share of rows whose best category is right."""
    right = sum(number for (actual, guess), number in confusion.items() if actual == guess)
    return float(right / sum(confusion.values()))


def macro_f1(confusion: Confusion) -> float:
    """Mean F1 over the categories that occur."""
    reports = report(confusion).values()
    return sum(entry["f1"] for entry in reports) / len(reports)


def weighted_f1(confusion: Confusion) -> float:
    """Mean F1 over the categories, weighted by their rows."""
    reports = report(confusion).values()
    rows = sum(entry["rows"] for entry in reports)
    return sum(entry["f1"] * entry["rows"] for entry in reports) / rows
