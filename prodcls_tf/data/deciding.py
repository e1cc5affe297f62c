"""Decides about all rows of all parts, of which only a bounded number is in memory at a time.

There are three sweeps over the ledger: by text, so that equal ones meet (`decisions.settle`); in
the order of the parts, when it is known which categories train has; and by place, so that near
duplicates meet. The verdict on a row is a byte in a file. Counts by category are held, and the
first places of each finding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from prodcls_tf.data.decisions import Verdict, settle
from prodcls_tf.data.ledger import Array, Run, append_run, ranges
from prodcls_tf.data.report import EXAMPLES, Finding
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
    """

    rows: list[int]
    categories: list[str]
    findings: dict[str, Finding]


def decide(
    runs: Sequence[Run],
    verdicts: Path,
    names: Sequence[str],
    place: Callable[[int, int], str],
    given: Collection[str],
    settings: DataSettings,
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

    Returns:
      The sums.
    """
    verdict: Array = np.empty(0, np.uint8)
    if verdicts.stat().st_size:
        verdict = np.memmap(verdicts, np.uint8, "r+")
    found = {name: _Tally() for name in _NAMED}
    counts = _by_text(runs, verdict, len(names), found, given, settings)
    # A group column says in the place of near duplicates what belongs together.
    near = settings.near_duplicates != "off" and not settings.group
    alike = verdicts.with_suffix(".alike")
    kept = _by_category(runs, verdict, counts, found, alike if near else None)
    _by_place(kept, found)
    rows = np.zeros(len(Verdict), np.int64)
    for start in range(0, len(verdict), _CHUNK):
        rows += np.bincount(verdict[start : start + _CHUNK], minlength=len(Verdict))
    return Decisions(
        rows=rows.tolist(),
        categories=sorted(names[number] for number in np.flatnonzero(counts.learned)),
        findings={name: tally.finding(place, names, _NAMED[name]) for name, tally in found.items()},
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


@dataclass
class _Counts:
    """Rows that are kept, by category.

    Attributes:
      kept: all.
      trained: those that go to train by rules 3 to 5.
      free: those that may go there, because their file was not given for val or test.
    """

    kept: Array
    trained: Array
    free: Array

    @property
    def learned(self) -> Array:
        """Which categories train has in the end."""
        return (self.trained > 0) | (self.free > 0)


def _by_text(
    runs: Sequence[Run],
    verdict: Array,
    categories: int,
    found: dict[str, _Tally],
    given: Collection[str],
    settings: DataSettings,
) -> _Counts:
    """Applies the rules for which all rows of a text are enough."""
    counts = _Counts(*np.zeros((3, categories), np.int64))
    for records in ranges(runs, "high"):
        fate, rival = settle(records, given, settings)
        verdict[records["row"]] = fate
        kept = fate <= Verdict.TEST
        for count, those in (
            (counts.kept, kept),
            (counts.trained, fate == Verdict.TRAIN),
            (counts.free, kept & (records["source"] == Verdict.TRAIN)),
        ):
            count += np.bincount(records["category"][those], minlength=categories)
        found["duplicates"].add(records[fate == Verdict.DUPLICATE])
        found["cross_split"].add(records[fate == Verdict.CROSS_SPLIT])
        conflict = fate == Verdict.CONFLICT
        majority = settings.conflicts == "majority"
        found["conflicts"].add(records[conflict], records[rival[conflict]] if majority else None)
    return counts


def _by_category(
    runs: Iterable[Run],
    verdict: Array,
    counts: _Counts,
    found: dict[str, _Tally],
    alike: Optional[Path],
) -> list[Run]:
    """Gives train the rows of categories it has none of; refuses those that were given else.

    Returns:
      The rows that are kept, as runs sorted by position in the file `alike`; none without it.
    """
    sorted_runs: list[Run] = []
    end = 0
    for run in runs:
        records = run.read(run.start, run.stop - run.start)
        category, row = records["category"], records["row"]
        fate = np.array(verdict[row])
        kept = fate <= Verdict.TEST
        moved = kept & (counts.trained[category] == 0) & (records["source"] == Verdict.TRAIN)
        unknown = kept & ~counts.learned[category]
        fate[moved] = Verdict.TRAIN
        fate[unknown] = Verdict.UNKNOWN_CATEGORY
        verdict[row] = fate
        # A single row may have been moved too; it is reported as such and not twice.
        single = kept & (counts.kept[category] == 1)
        found["single_row"].add(records[single & (fate == Verdict.TRAIN)])
        found["moved_to_train"].add(records[moved & ~single])
        found["unknown_category"].add(records[unknown])
        if alike:
            records = records[fate <= Verdict.TEST]
            append_run(alike, records, "position")
            sorted_runs.append(Run(alike, end, end := end + len(records)))
    return sorted_runs


def _by_place(runs: Sequence[Run], found: dict[str, _Tally]) -> None:
    """Counts the rows that share their position with another one."""
    for records in ranges(runs, "position"):
        records = records[np.argsort(records["position"], kind="stable")]
        same = np.zeros(len(records) + 1, dtype=bool)
        same[1:-1] = records["position"][1:] == records["position"][:-1]
        found["near_duplicates"].add(records[same[1:] | same[:-1]])


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
