"""Decides for every row at once which split it goes to, or why it is left out.

The first pass writes each row into a `Ledger`: a 16-byte digest of its text, its place between 0
and 1 and small numbers, 38 bytes a row. `decide` sorts the digests to find equal texts, for which
it needs about 110 bytes a row more while it works, and leaves one byte a row.
"""

from __future__ import annotations

import enum
from array import array
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prodcls_tf.data.splitting import digest_of
from prodcls_tf.settings import DataSettings

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]


class Verdict(enum.IntEnum):
    """What becomes of a row; the first three are the splits in the order of `features.SPLITS`."""

    TRAIN = 0
    VAL = 1
    TEST = 2
    EMPTY_TEXT = 3
    EMPTY_LABEL = 4
    DUPLICATE = 5
    CONFLICT = 6
    CROSS_SPLIT = 7
    UNKNOWN_CATEGORY = 8


# Why a row is left out, in a few words.
REASONS = {
    Verdict.EMPTY_TEXT: "no text",
    Verdict.EMPTY_LABEL: "no category",
    Verdict.DUPLICATE: "same text and category as another row",
    Verdict.CONFLICT: "same text under several categories",
    Verdict.CROSS_SPLIT: "same text in a split that is held out more",
    Verdict.UNKNOWN_CATEGORY: "category without a row in train",
}


@dataclass
class Ledger:
    """What is remembered of every row between the two passes.

    Attributes:
      high: first half of the digest of the folded text.
      low: second half of it.
      position: where the row lies between 0 and 1, in 64 bits: its split goes by that.
      category: number of the category, in the order in which they first appeared.
      source: the split the row's file was given for, as in `features.SPLITS`.
      line: the row's line in its file.
      verdict: EMPTY_TEXT or EMPTY_LABEL, or TRAIN where it is still to be decided.
    """

    high: array[int] = field(default_factory=lambda: array("Q"))
    low: array[int] = field(default_factory=lambda: array("Q"))
    position: array[int] = field(default_factory=lambda: array("Q"))
    category: array[int] = field(default_factory=lambda: array("i"))
    source: array[int] = field(default_factory=lambda: array("B"))
    line: array[int] = field(default_factory=lambda: array("Q"))
    verdict: array[int] = field(default_factory=lambda: array("B"))

    def add(
        self, text: str, key: str, category: int, source: int, line: int, verdict: Verdict
    ) -> None:
        """Writes down one row.

        Args:
          text: what makes it the same text as another.
          key: what makes it go to the same split as another.
          category: number of its category.
          source: the split that its file was given for.
          line: its line.
          verdict: as far as it is known.
        """
        digest = digest_of(text)
        place = digest if key == text else digest_of(key)
        self.high.append(int.from_bytes(digest[:8], "big"))
        self.low.append(int.from_bytes(digest[8:], "big"))
        self.position.append(int.from_bytes(place[:8], "big"))
        self.category.append(category)
        self.source.append(source)
        self.line.append(line)
        self.verdict.append(verdict)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.line)


@dataclass(frozen=True)
class Decisions:
    """The fate of every row.

    Attributes:
      verdict: uint8 [rows], a `Verdict` each.
      moved: numbers of the rows that went to train because their category had none there.
      single: numbers of the rows that are the only one of their category.
      rivals: for each row with the verdict CONFLICT, in the order of the rows, the row kept; empty
        where none is kept.
    """

    verdict: Array
    moved: Array
    single: Array
    rivals: Array


def decide(ledger: Ledger, given: Collection[str], settings: DataSettings) -> Decisions:
    """Applies the rules of `intake` to all rows.

    Args:
      ledger: the rows as the first pass saw them.
      given: the splits that have files of their own; the others are taken from train.
      settings: the shares that val and test take from train, where they are not given, and what
        becomes of conflicts.

    Returns:
      The decisions.
    """
    import numpy as np

    verdict = np.array(ledger.verdict, dtype=np.uint8)
    source = _view(ledger.source, "uint8")
    category = _view(ledger.category, "int32")
    high = _view(ledger.high, "uint64")
    rows, group = _grouped(ledger, verdict, high)
    if len(rows):
        # A text that several splits have stays in the most held-out one.
        most = np.maximum.reduceat(source[rows], _starts(group))[group]
        crossing = source[rows] < most
        verdict[rows[crossing]] = Verdict.CROSS_SPLIT
        rows, group = rows[~crossing], group[~crossing]
    drop = settings.conflicts == "drop"
    kept, rivals = _one_each(rows, group, category, verdict, drop)
    _by_hash(kept, ledger, verdict, given, settings)
    moved = _rescued(kept, source, category, verdict)
    counts = np.bincount(category[kept], minlength=1)
    single = kept[counts[category[kept]] == 1]
    return Decisions(verdict, moved, np.sort(single), rivals)


def _view(column: array[int], kind: str) -> Array:
    """A column of the ledger as numpy sees it, not copied."""
    import numpy as np

    return np.frombuffer(column, dtype=kind) if column else np.empty(0, dtype=kind)


def _grouped(ledger: Ledger, verdict: Array, high: Array) -> tuple[Array, Array]:
    """Undecided rows sorted by text and then by place, and the number of each one's text."""
    import numpy as np

    rows = np.flatnonzero(verdict == Verdict.TRAIN)
    low = _view(ledger.low, "uint64")
    rows = rows[np.lexsort((low[rows], high[rows]))]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (high[rows[1:]] != high[rows[:-1]]) | (low[rows[1:]] != low[rows[:-1]])
    return rows, np.cumsum(new) - 1


def _starts(group: Array) -> Array:
    """Where each run of equal numbers begins."""
    import numpy as np

    return np.flatnonzero(np.diff(group, prepend=-1))


def _one_each(
    rows: Array, group: Array, category: Array, verdict: Array, drop: bool
) -> tuple[Array, Array]:
    """Keeps one row of every text: the first with the category most of its rows have.

    Args:
      rows: undecided rows, sorted by text and then by place.
      group: the number of each one's text.
      category: of all rows.
      verdict: of all rows; those that are left out here get theirs.
      drop: whether none is kept of a text with several categories.

    Returns:
      The rows kept, and for every conflicting row, in the order of the rows, the one kept; nothing
      for those that are dropped.
    """
    import numpy as np

    if not len(rows):
        return rows, rows
    # Runs of the same text and category, in the order of the rows inside (the sort is stable).
    order = np.lexsort((category[rows], group))
    rows, group = rows[order], group[order]
    runs = np.flatnonzero(np.diff(group, prepend=-1) | np.diff(category[rows], prepend=-1))
    sizes = np.diff(runs, append=len(rows))
    first, text = rows[runs], group[runs]
    # Of a text's runs the longest comes first, of equal ones the one that was seen first.
    best = np.lexsort((first, -sizes, text))
    kept = first[best][_starts(text[best])]
    rival = kept[group]
    verdict[rows] = np.where(category[rows] == category[rival], Verdict.DUPLICATE, Verdict.CONFLICT)
    verdict[kept] = Verdict.TRAIN
    conflicting = verdict[rows] == Verdict.CONFLICT
    if drop:
        disputed = np.isin(rival, rival[conflicting])
        verdict[rows[disputed]] = Verdict.CONFLICT
        return kept[verdict[kept] == Verdict.TRAIN], rival[:0]
    in_order = np.argsort(rows[conflicting])
    return kept, rival[conflicting][in_order]


def _by_hash(
    kept: Array, ledger: Ledger, verdict: Array, given: Collection[str], settings: DataSettings
) -> None:
    """Writes the split of every kept row: its own, or by `splitting.split_of`'s rule."""
    source = _view(ledger.source, "uint8")[kept]
    verdict[kept] = source
    position = _view(ledger.position, "uint64")[kept].astype(float) / 2.0**64
    free = source == Verdict.TRAIN
    if "test" not in given:
        verdict[kept[free & (position < settings.test_share)]] = Verdict.TEST
    if "val" not in given:
        held_out = settings.test_share + settings.val_share
        inside = (position >= settings.test_share) & (position < held_out)
        verdict[kept[free & inside]] = Verdict.VAL


def alike(ledger: Ledger, verdict: Array) -> Array:
    """Returns the kept rows that share their position with another one, in the order of rows."""
    import numpy as np

    rows = np.flatnonzero(verdict <= Verdict.TEST)
    position = _view(ledger.position, "uint64")[rows]
    rows = rows[np.argsort(position, kind="stable")]
    position.sort()
    same = np.zeros(len(rows) + 1, dtype=bool)
    same[1:-1] = position[1:] == position[:-1]
    return np.sort(rows[same[1:] | same[:-1]])


def _rescued(kept: Array, source: Array, category: Array, verdict: Array) -> Array:
    """Gives train the rows of categories it has none of; refuses those that were given else.

    Returns:
      The rows that were moved to train.
    """
    import numpy as np

    learned = np.zeros(int(category.max(initial=-1)) + 1, dtype=bool)
    learned[category[kept[verdict[kept] == Verdict.TRAIN]]] = True
    lost = kept[~learned[category[kept]]]
    moved = lost[source[lost] == Verdict.TRAIN]
    verdict[moved] = Verdict.TRAIN
    learned[category[moved]] = True
    verdict[kept[~learned[category[kept]]]] = Verdict.UNKNOWN_CATEGORY
    return np.sort(moved)
