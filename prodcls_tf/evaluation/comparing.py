"""Compares the answers of two models to the same labelled rows.

A figure on some hundred rows moves by a point with the training's seed alone, so a fall counts
only where it is more than chance: more than some standard errors of it. Both models answer the same
rows, hence the error of the difference is that of the rows on which they disagree, and much
smaller than that of either figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prodcls_tf.evaluation.comparison import Change, Comparison
from prodcls_tf.sections.release import EvaluationSettings

# Macro-F1 has no formula for its error: it is measured on rows drawn with replacement.
_DRAWS = 200


def compare(
    version: str,
    categories: Sequence[str],
    before: Sequence[str],
    after: Sequence[str],
    slices: Mapping[str, Sequence[str]],
    settings: EvaluationSettings,
) -> Comparison:
    """Compares a new model with the one that serves.

    Categories are compared by their paths, so the models may know different ones: a category that
    a model does not know is an error of that model.

    Args:
      version: the one that serves.
      categories: the right category of each row.
      before: what the serving model says.
      after: what the new one says.
      slices: by kind of slice, which one each row is part of.
      settings: how far the new one may fall, and how many rows a slice must have.

    Returns:
      The figures of both: accuracy and macro-F1 on all rows, accuracy on each slice that has
      rows enough, in the order of their names.

    Example:
      >>> rows = ["A"] * 4 + ["B"] * 4
      >>> found = compare("17", rows, rows, ["A"] * 8, {}, EvaluationSettings())
      >>> [(change.metric, change.after, change.fell) for change in found.changes]
      [('accuracy', 0.5, True), ('macro_f1', 0.3333333333333333, True)]
    """
    _, numbers = np.unique([*categories, *before, *after], return_inverse=True)
    right, old, new = np.split(numbers, 3)
    hits = np.stack([old == right, new == right]).astype(float)
    changes = [
        _accuracy(hits, settings.max_drop, settings.chance_errors),
        _macro_f1(right, old, new, settings),
    ]
    for kind, names in slices.items():
        found, numbers, rows = np.unique(names, return_inverse=True, return_counts=True)
        # A slice of all rows is none: it has been looked at.
        for number in np.flatnonzero((rows >= settings.slice_rows) & (rows < len(right))):
            change = _accuracy(
                hits[:, numbers == number], settings.max_slice_drop, settings.chance_errors
            )
            named = {"kind": kind, "slice": str(found[number])}
            changes.append(change.model_copy(update=named))
    return Comparison(version=version, changes=changes)


def _accuracy(hits: np.ndarray, bound: float, errors: float) -> Change:
    before, after = hits.mean(axis=1)
    rows = hits.shape[1]
    error = (hits[1] - hits[0]).std() / np.sqrt(rows)
    return Change(
        metric="accuracy",
        rows=rows,
        before=before,
        after=after,
        allowed=max(bound, errors * float(error)),
    )


def _macro_f1(
    right: np.ndarray, old: np.ndarray, new: np.ndarray, settings: EvaluationSettings
) -> Change:
    random = np.random.default_rng(0)
    falls = []
    for _ in range(_DRAWS):
        rows = random.integers(0, len(right), len(right))
        falls.append(_f1(right[rows], old[rows]) - _f1(right[rows], new[rows]))
    return Change(
        metric="macro_f1",
        rows=len(right),
        before=_f1(right, old),
        after=_f1(right, new),
        allowed=max(settings.max_drop, settings.chance_errors * float(np.std(falls))),
    )


def _f1(right: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the categories that occur, as `metrics.py` has it, but in a millisecond."""
    size = int(max(right.max(), predicted.max())) + 1
    hits = np.bincount(right[right == predicted], minlength=size)
    counted = np.bincount(right, minlength=size) + np.bincount(predicted, minlength=size)
    present = counted > 0
    return float(np.mean(2.0 * hits[present] / counted[present]))
