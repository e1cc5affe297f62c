"""The rules by which a row goes to a split or is left out, for many rows at once.

`settle` has those for which all rows of a text are enough (3 and 4 of `intake`); `deciding` applies
it to all texts, and the rules that ask about whole categories.
"""

from __future__ import annotations

import enum

import numpy as np

from prodcls_tf.data.ledger import Array


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


def settle(records: Array, *, majority: bool) -> tuple[Array, Array]:
    """Applies the rules for which all rows of a text are enough.

    Args:
      records: `ledger.RECORD`s; where one of a text is there, all are, in the order of the rows.
      majority: whether a text with several categories is kept, under that of most of its rows.

    Returns:
      A `Verdict` for each, where a row that is kept has the split that its file was given for; and
      for each with the verdict CONFLICT the place in `records` of the one kept, -1 where none is
      and for all others.
    """
    verdict = np.zeros(len(records), np.uint8)
    rival = np.full(len(records), -1)
    if not len(records):
        return verdict, rival
    rows, text = _by_text(records)
    # A text that several splits have stays in the most held-out one.
    source = records["source"]
    most = np.maximum.reduceat(source[rows], _starts(text))[text]
    crossing = source[rows] < most
    verdict[rows[crossing]] = Verdict.CROSS_SPLIT
    rows, text = rows[~crossing], text[~crossing]
    category = records["category"]
    kept = _best(rows, text, category)
    other = category[rows] != category[kept[text]]
    verdict[rows] = np.where(other, Verdict.CONFLICT, Verdict.DUPLICATE)
    if majority:
        rival[rows[other]] = kept[text[other]]
    else:
        verdict[rows[np.isin(text, text[other])]] = Verdict.CONFLICT
        kept = kept[verdict[kept] != Verdict.CONFLICT]
    verdict[kept] = source[kept]
    return verdict, rival


def _by_text(records: Array) -> tuple[Array, Array]:
    """The places of the records sorted by text and then by row, and the number of each one's."""
    high, low = records["high"], records["low"]
    rows = np.lexsort((low, high))
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (high[rows[1:]] != high[rows[:-1]]) | (low[rows[1:]] != low[rows[:-1]])
    return rows, np.cumsum(new) - 1


def _starts(numbers: Array) -> Array:
    """Where each run of equal numbers begins."""
    return np.flatnonzero(np.diff(numbers, prepend=-1))


def _best(rows: Array, text: Array, category: Array) -> Array:
    """Finds the row to keep of every text: the first with the category most of its rows have.

    Args:
      rows: places sorted by text and then by row.
      text: the number of each one's text; none is left out.
      category: of all records.

    Returns:
      One place for each text.
    """
    # Runs of the same text and category, in the order of the rows inside (the sort is stable).
    order = np.lexsort((category[rows], text))
    rows, text = rows[order], text[order]
    runs = np.flatnonzero(np.diff(text, prepend=-1) | np.diff(category[rows], prepend=-1))
    sizes = np.diff(runs, append=len(rows))
    first, text = rows[runs], text[runs]
    # Of a text's runs the longest comes first, of equal ones the one that was seen first.
    best = np.lexsort((first, -sizes, text))
    return first[best][_starts(text[best])]
