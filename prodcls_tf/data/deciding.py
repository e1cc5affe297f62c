"""Decides about all rows of all parts, of which only a bounded number is in memory at a time.

There are four sweeps over the ledger: by text, so that equal ones meet (`decisions.settle`); twice
by key, so that rows that belong together meet (`placing`); and in the order of the parts, when it
is known which categories train has. The verdict on a row is a byte in a file. Counts by category
are held, and the first places of each finding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from prodcls_tf.data.decisions import Verdict, settle
from prodcls_tf.data.ledger import Array, Run, ranges
from prodcls_tf.data.placements import Terms
from prodcls_tf.data.placing import Memory, count_keys, place_keys, sorted_by_key
from prodcls_tf.data.report import EXAMPLES, Finding
from prodcls_tf.data.shares import Shares
from prodcls_tf.settings import DataSettings

# A row that the report names, and the one that is kept in its place; -1 where there is none.
_FIELDS = ("row", "line", "category")
_EXAMPLE = np.dtype([(f"{one}{name}", "i8") for one in ("", "kept_") for name in _FIELDS])


@dataclass(frozen=True)
class Decisions:
    """What became of the rows, in sums.

    Attributes:
      rows: how many have each `Verdict`.
      categories: those that train has, sorted.
      findings: by their names in `report.IntakeReport`.
      places: where the first row that is kept of each category stands, `file:line`.
    """

    rows: list[int]
    categories: list[str]
    findings: dict[str, Finding]
    places: dict[str, str]


def decide(
    runs: Sequence[Run],
    verdicts: Path,
    names: Sequence[str],
    place: Callable[[int, int], str],
    given: Collection[str],
    settings: DataSettings,
    memory: Optional[Memory],
) -> Decisions:
    """Applies rules 3 to 7 of `intake` to all rows.

    Args:
      runs: the ledger, in the order of the rows, sorted by `high`.
      verdicts: a file with a byte for each row: EMPTY_TEXT or EMPTY_LABEL, or TRAIN where it is
        still to be decided. Its bytes become the verdicts.
      names: the categories by number.
      place: says where a row stands, by its number and line: `file:line`.
      given: the splits that have files of their own; the others are taken from train.
      settings: the shares of val and test, and what becomes of conflicts and near duplicates.
      memory: the splits that earlier runs have left, and where this one leaves its own; None for
        no memory.

    Returns:
      The sums.
    """
    verdict: Array = np.empty(0, np.uint8)
    if verdicts.stat().st_size:
        verdict = np.memmap(verdicts, np.uint8, "r+")
    found = {name: _Tally() for name in _NAMED}
    _by_text(runs, verdict, found, majority=settings.conflicts == "majority")
    # A group column says in the place of near duplicates what belongs together.
    near = settings.near_duplicates != "off" and not settings.group
    by_key = sorted_by_key(runs, verdict, verdicts.with_suffix(".keys"))
    counts = _by_key(by_key, verdict, names, found, Terms.of(settings, given), memory, near=near)
    firsts = _by_category(runs, verdict, counts, found)
    rows = np.zeros(len(Verdict), np.int64)
    for start in range(0, len(verdict), _CHUNK):
        rows += np.bincount(verdict[start : start + _CHUNK], minlength=len(Verdict))
    return Decisions(
        rows=rows.tolist(),
        categories=sorted(names[number] for number in np.flatnonzero(counts.trained)),
        findings={name: tally.finding(place, names, _NAMED[name]) for name, tally in found.items()},
        places={names[number]: place(*first) for number, first in sorted(firsts.items())},
    )


# The findings, and whether they name the category.
_NAMED = {
    "duplicates": False,
    "conflicts": True,
    "cross_split": False,
    "unknown_category": True,
    "single_row": True,
    "moved_to_train": True,
    "near_duplicates": False,
}

_CHUNK = 1 << 20


class _Counts:
    """Rows that are kept, by category.

    Args:
      categories: how many there are.

    Attributes:
      kept: all.
      free: those that may go to train: their file was not given for val or test.
      trained: those that do.
    """

    def __init__(self, categories: int) -> None:
        self.kept, self.free, self.trained = np.zeros((3, categories), np.int64)

    @property
    def lacking(self) -> Array:
        """Which categories have no row in train and could have some."""
        return (self.trained == 0) & (self.free > 0)

    def add(self, records: Array, fate: Array) -> None:
        """Counts rows that are kept."""
        for count, those in (
            (self.kept, slice(None)),
            (self.free, records["source"] == Verdict.TRAIN),
            (self.trained, fate == Verdict.TRAIN),
        ):
            count += np.bincount(records["category"][those], minlength=len(count))


def _by_text(
    runs: Sequence[Run], verdict: Array, found: dict[str, _Tally], *, majority: bool
) -> None:
    """Applies the rules for which all rows of a text are enough."""
    for records in ranges(runs, "high"):
        fate, rival = settle(records, majority=majority)
        verdict[records["row"]] = fate
        found["duplicates"].add(records[fate == Verdict.DUPLICATE])
        found["cross_split"].add(records[fate == Verdict.CROSS_SPLIT])
        conflict = fate == Verdict.CONFLICT
        found["conflicts"].add(records[conflict], records[rival[conflict]] if majority else None)


def _by_key(
    by_key: Sequence[Run],
    verdict: Array,
    names: Sequence[str],
    found: dict[str, _Tally],
    terms: Terms,
    memory: Optional[Memory],
    *,
    near: bool,
) -> _Counts:
    """Gives all rows the split of their key; once more where a category then has none in train."""
    shares = Shares(names, terms.val_share, terms.test_share)
    count_keys(by_key, shares, terms, memory)
    lacking = np.zeros(len(names), bool)
    while True:
        counts, alike, moved = _Counts(len(names)), _Tally(), _Tally()
        for records, fate, given_back in place_keys(by_key, shares, terms, memory, lacking):
            verdict[records["row"]] = fate
            counts.add(records, fate)
            moved.add(records[given_back])
            if near:
                alike.add(records[_repeated(records["position"])])
        if lacking.any() or not counts.lacking.any():
            found.update(near_duplicates=alike, moved_to_train=moved)
            return counts
        lacking = counts.lacking


def _repeated(numbers: Array) -> Array:
    """Which of the sorted numbers are there more than once."""
    same = np.concatenate([[False], numbers[1:] == numbers[:-1], [False]])
    return same[1:] | same[:-1]


def _by_category(
    runs: Iterable[Run], verdict: Array, counts: _Counts, found: dict[str, _Tally]
) -> dict[int, tuple[int, int]]:
    """Leaves out the rows of categories that train has none of.

    Returns:
      The first row that is kept of each category: its number and line.
    """
    firsts: dict[int, tuple[int, int]] = {}
    for run in runs:
        records = run.read(run.start, run.stop - run.start)
        category, row = records["category"], records["row"]
        fate = np.array(verdict[row])
        kept = fate <= Verdict.TEST
        unknown = kept & (counts.trained[category] == 0)
        fate[unknown] = Verdict.UNKNOWN_CATEGORY
        verdict[row] = fate
        single = (fate == Verdict.TRAIN) & (counts.kept[category] == 1)
        found["single_row"].add(records[single])
        found["unknown_category"].add(records[unknown])
        for first in _first_of_each(records[fate <= Verdict.TEST]):
            number, stands = int(first["category"]), (int(first["row"]), int(first["line"]))
            firsts[number] = min(stands, firsts.get(number, stands))
    return firsts


def _first_of_each(records: Array) -> Array:
    """The first row of each category."""
    records = records[np.argsort(records["row"])]
    return records[np.unique(records["category"], return_index=True)[1]]


class _Tally:
    """Counts rows and keeps the first of them."""

    def __init__(self) -> None:
        self._rows = 0
        self._first: Array = np.empty(0, _EXAMPLE)

    def add(self, records: Array, kept: Optional[Array] = None) -> None:
        """Takes rows, and for each the one that is kept in its place, if there is one."""
        self._rows += len(records)
        order = np.argsort(records["row"])[:EXAMPLES]
        new = np.full(len(order), -1, _EXAMPLE)
        for name in _FIELDS:
            new[name] = records[name][order]
            if kept is not None:
                new[f"kept_{name}"] = kept[name][order]
        both = np.concatenate([self._first, new])
        self._first = both[np.argsort(both["row"])[:EXAMPLES]]

    def finding(
        self, place: Callable[[int, int], str], names: Sequence[str], named: bool
    ) -> Finding:
        """Returns the count and the first places, with their categories if they are `named`."""
        examples = []
        for row, line, category, kept_row, kept_line, kept_category in self._first.tolist():
            example = place(row, line)
            if named:
                example += f" {names[category]!r}"
            if kept_row >= 0:
                example += f", kept {place(kept_row, kept_line)} {names[kept_category]!r}"
            examples.append(example)
        return Finding(rows=self._rows, examples=examples)
