"""How far two profiles are apart.

Every measure is a distance between 0 and 1: the largest difference of a share of rows. A category
that 30 % of the rows had and 45 % have now is .15 apart, and so are two distributions of lengths
if at most 15 % more of the texts are shorter than some bound (Kolmogorov and Smirnov's distance).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prodcls_tf.data.profile import LENGTHS, FieldProfile


@dataclass(frozen=True)
class Measured:
    """What one measure says of a text column.

    Attributes:
      name: `empty`, `length` or `language`.
      distance: how far the two sides are apart.
      chance: how far they might be by chance.
      words: what there is and what is expected, for a person.
      expected: the figures of the one side.
      received: those of the other one.
    """

    name: str
    distance: float
    chance: float
    words: str
    expected: Any
    received: Any


def measure_texts(was: FieldProfile, now: FieldProfile) -> list[Measured]:
    """Measures how far the texts of a column are from what is expected.

    Args:
      was: what is expected.
      now: what there is.

    Returns:
      All measures: of empty texts, lengths and languages.
    """
    empty = measure_empty(was.empty, was.empty + was.filled, now.empty, now.empty + now.filled)
    return [empty, _lengths(was, now), _languages(was, now)]


def measure_empty(
    was: int, was_of: int, now: int, now_of: int, words: str = "of its values are empty"
) -> Measured:
    """Measures how much the share of empty values has changed.

    Args:
      was: how many were expected to be empty.
      was_of: of so many.
      now: how many are.
      now_of: of so many.
      words: that say so behind the share.
    """
    before, after = was / max(1, was_of), now / max(1, now_of)
    return Measured(
        "empty",
        abs(after - before),
        chance(was_of, now_of),
        f"{percent(after)} {words}, {percent(before)} are expected",
        round(before, 4),
        round(after, 4),
    )


def chance(some: int, others: int) -> float:
    """The distance that two samples of the same rows may have by chance.

    Four standard errors of a difference of shares, where these are largest: at one half.

    Args:
      some: size of the one sample.
      others: size of the other one.

    Example:
      >>> round(chance(10_000, 10_000), 3), round(chance(100, 100), 2)
      (0.028, 0.28)
    """
    return min(1.0, 2 * (1 / some + 1 / others) ** 0.5) if some and others else 1.0


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Makes shares of counts, the largest first."""
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return {name: round(count / total, 4) for name, count in ordered}


def percent(share: float) -> str:
    """Writes a share as people read it.

    Example:
      >>> percent(0.1234)
      '12.3 %'
    """
    return f"{100 * share:.1f} %"


def _lengths(was: FieldProfile, now: FieldProfile) -> Measured:
    before, after = _median(was), _median(now)
    distance = 0.0
    if was.filled and now.filled:
        pairs = zip(_up_to_each(was), _up_to_each(now), strict=True)
        distance = max(abs(a / was.filled - b / now.filled) for a, b in pairs)
    return Measured(
        "length",
        distance,
        chance(was.filled, now.filled),
        f"half of its texts have up to {after:,} characters, up to {before:,} are expected",
        before,
        after,
    )


def _languages(was: FieldProfile, now: FieldProfile) -> Measured:
    before, after = shares(was.languages), shares(now.languages)
    distance = 0.0
    if before and after:
        names = before.keys() | after.keys()
        distance = max(abs(after.get(name, 0.0) - before.get(name, 0.0)) for name in names)
    return Measured(
        "language",
        distance,
        chance(was.filled, now.filled),
        f"its texts are {_largest(after)}, where {_largest(before)} is expected",
        before,
        after,
    )


def _up_to_each(texts: FieldProfile) -> list[int]:
    """How many texts have up to each of `LENGTHS` characters."""
    return list(accumulate(texts.lengths.get(length, 0) for length in LENGTHS))


def _median(texts: FieldProfile) -> int:
    """The bound up to which half of the texts are long; 0 without texts."""
    pairs = zip(LENGTHS, _up_to_each(texts), strict=True)
    return next((n for n, count in pairs if 2 * count >= texts.filled), 0) if texts.filled else 0


def _largest(parts: Mapping[str, float]) -> str:
    return ", ".join(f"{percent(part)} {name}" for name, part in list(parts.items())[:3])
