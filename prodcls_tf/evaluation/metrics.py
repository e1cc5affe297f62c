"""Accuracy, F1 averages and a report per category, from labels and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, precision_recall_fscore_support

from prodcls_tf.errors import InputError


@dataclass(frozen=True)
class CategoryMetrics:
    """How well one category is found.

    Attributes:
      category: its path.
      precision: share of the rows put here that belong here.
      recall: share of the rows that belong here that were put here.
      f1: harmonic mean of the two.
      rows: labelled rows that belong here.
    """

    category: str
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True)
class Metrics:
    """How well labelled rows are classified.

    Attributes:
      rows: number of rows measured.
      accuracy: share of rows whose best category is right.
      macro_f1: mean F1 over the categories that occur in labels or predictions.
      weighted_f1: mean F1 over categories, weighted by their rows.
      top3_accuracy: share of rows whose category is among the three best.
      categories: one entry for each category that occurs.
    """

    rows: int
    accuracy: float
    macro_f1: float
    weighted_f1: float
    top3_accuracy: float
    categories: list[CategoryMetrics] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, labels: np.ndarray, scores: np.ndarray, categories: Sequence[str] = ()) -> Metrics:
        """Measures scores against labels.

        Args:
          labels: int [rows], the right category of each row.
          scores: float [rows, categories]; only their order within a row counts.
          categories: the paths by number; empty for no report per category.

        Returns:
          The metrics.

        Raises:
          InputError: there are no rows.
        """
        return cls.of_best(labels, best_three(scores), categories)

    @classmethod
    def of_best(
        cls, labels: np.ndarray, best: np.ndarray, categories: Sequence[str] = ()
    ) -> Metrics:
        """Measures the best categories of each row, which are all that counts, against labels.

        Args:
          labels: int [rows], the right category of each row.
          best: int [rows, 3 or fewer], the best categories of each row, as `best_three` has them.
          categories: the paths by number; empty for no report per category.

        Returns:
          The metrics.

        Raises:
          InputError: there are no rows.
        """
        if len(labels) == 0:
            raise InputError("Metrics need labelled rows. Received none.")
        predicted = best[:, 0]
        return cls(
            rows=len(labels),
            accuracy=float(np.mean(predicted == labels)),
            macro_f1=float(f1_score(labels, predicted, average="macro", zero_division=0)),
            weighted_f1=float(f1_score(labels, predicted, average="weighted", zero_division=0)),
            top3_accuracy=float(np.mean((best == np.asarray(labels)[:, None]).any(axis=1))),
            categories=_per_category(labels, predicted, categories) if len(categories) else [],
        )

    def headline(self) -> dict[str, Any]:
        """Returns the figures without the report per category, as plain values."""
        return {name: value for name, value in asdict(self).items() if name != "categories"}


def best_three(scores: np.ndarray) -> np.ndarray:
    """Finds the best categories of each row, so that its scores need not be kept.

    Args:
      scores: float [rows, categories].

    Returns:
      int32 [rows, 3], fewer where there are fewer categories: their numbers, best first, of equal
      ones the lower number first.
    """
    # A copy: a slice would keep the numbers of all categories in memory.
    return np.argsort(-scores, axis=1, kind="stable")[:, :3].astype(np.int32)


def _per_category(
    labels: np.ndarray, predicted: np.ndarray, categories: Sequence[str]
) -> list[CategoryMetrics]:
    present = np.union1d(labels, predicted)
    columns = precision_recall_fscore_support(labels, predicted, labels=present, zero_division=0)
    return [
        CategoryMetrics(categories[number], float(p), float(r), float(f), int(rows))
        for number, p, r, f, rows in zip(present, *columns, strict=True)
    ]
