"""Compares the answers of two models to the same labelled rows, category by category."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

import numpy as np

from prodcls_tf.evaluation.category_changes import NEW, RETIRED, CategoryChange, in_order
from prodcls_tf.evaluation.metrics import CategoryMetrics, Metrics

# So many categories are named to which rows of one have moved.
_MOVES = 3


def by_category(
    categories: Sequence[str],
    before: Sequence[str],
    after: Sequence[str],
    known_before: Collection[str],
    known_after: Collection[str],
) -> list[CategoryChange]:
    """Tells what became of each category that one of the models knows, or that has rows.

    Args:
      categories: the right category of each row.
      before: what the serving model says.
      after: what the new one says.
      known_before: the categories that the serving model knows.
      known_after: those of the new one.

    Returns:
      A line for each, those that fell most first.

    Example:
      >>> found = by_category(["A", "B"], ["A", "A"], ["A", "B"], {"A"}, {"A", "B"})
      >>> [(one.category, one.state, one.f1_after, one.won_from) for one in found]
      [('A', '', 1.0, ''), ('B', 'new', 1.0, 'A (1)')]
    """
    old, new = _per_category(categories, before), _per_category(categories, after)
    lost, won = _moves(categories, before, after), _moves(categories, after, before)
    rows, was, is_ = Counter(categories), set(known_before), set(known_after)

    def change(path: str) -> CategoryChange:
        former = old.get(path) if path in was else None
        latter = new.get(path) if path in is_ else None
        return CategoryChange(
            category=path,
            state="" if (path in was) == (path in is_) else NEW if path in is_ else RETIRED,
            rows=rows[path],
            precision_before=former and former.precision,
            precision_after=latter and latter.precision,
            recall_before=former and former.recall,
            recall_after=latter and latter.recall,
            f1_before=former and former.f1,
            f1_after=latter and latter.f1,
            lost=lost[path].total(),
            lost_to=_named(lost[path]),
            won=won[path].total(),
            won_from=_named(won[path]),
        )

    return in_order(map(change, rows.keys() | was | is_))


def _per_category(right: Sequence[str], answers: Sequence[str]) -> dict[str, CategoryMetrics]:
    names, numbers = np.unique([*right, *answers], return_inverse=True)
    labels, best = np.split(numbers, 2)
    found = Metrics.of_best(labels, best[:, None], names.tolist())
    return {entry.category: entry for entry in found.categories}


def _moves(
    right: Sequence[str], hits: Sequence[str], misses: Sequence[str]
) -> defaultdict[str, Counter[str]]:
    """Counts rows that one model has right, by their category and by what the other one says."""
    moves: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for path, hit, other in zip(right, hits, misses, strict=True):
        if hit == path != other:
            moves[path][other] += 1
    return moves


def _named(moves: Counter[str]) -> str:
    return "; ".join(f"{path} ({rows})" for path, rows in moves.most_common(_MOVES))
