"""What is remembered of the rows between the two passes, on disk.

The first pass of a part writes a record of each row that is still to be decided: a 16-byte digest
of its text, its place between 0 and 1 and small numbers. The records come in runs, each sorted by
the digest and short enough to be sorted in memory. Equal texts have equal digests, so all rows of a
text are found by reading the same range of digests from every run: `ranges` does that with
ranges that hold so many rows on average, whatever their number is in all.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from prodcls_tf.data.digests import digest_of

Array = np.ndarray[Any, Any]

# Rows that are sorted at once, and rows that are decided at once.
RUN_ROWS = 1 << 15
RANGE_ROWS = 1 << 16

# One row: the halves of the digest of its text; where it lies between 0 and 1, in 64 bits, which
# its split goes by; the number of its category; the split that its file was given for, as in
# `features.SPLITS`; its line; and its number among the rows of its part.
RECORD = np.dtype(
    [
        ("high", "u8"),
        ("low", "u8"),
        ("position", "u8"),
        ("category", "i4"),
        ("source", "u1"),
        ("line", "u8"),
        ("row", "u8"),
    ]
)


class LedgerWriter:
    """Writes down the rows of a part that are still to be decided.

    Args:
      path: of the file, overwritten.
      source: the split that the part's file was given for.

    Attributes:
      runs: the number of records in each run written so far.
    """

    def __init__(self, path: Path, source: int) -> None:
        self.runs: list[int] = []
        self._path, self._source = path, source
        path.write_bytes(b"")
        self._clear()

    def _clear(self) -> None:
        self._texts, self._places = bytearray(), bytearray()
        self._categories, self._lines, self._rows = array("i"), array("Q"), array("Q")

    def add(self, row: int, text: str, key: str, category: int, line: int) -> None:
        """Writes down one row.

        Args:
          row: its number in the part.
          text: what makes it the same text as another.
          key: what makes it go to the same split as another.
          category: number of its category.
          line: its line.
        """
        digest = digest_of(text)
        self._texts += digest
        self._places += (digest if key == text else digest_of(key))[:8]
        self._categories.append(category)
        self._lines.append(line)
        self._rows.append(row)
        if len(self._rows) >= RUN_ROWS:
            self.flush()

    def flush(self) -> None:
        """Writes what is still held."""
        if not self._rows:
            return
        records = np.empty(len(self._rows), RECORD)
        records["high"], records["low"] = np.frombuffer(self._texts, ">u8").reshape(-1, 2).T
        records["position"] = np.frombuffer(self._places, ">u8")
        records["category"] = self._categories
        records["source"] = self._source
        records["line"] = self._lines
        records["row"] = self._rows
        append_run(self._path, records, "high")
        self.runs.append(len(records))
        self._clear()


def append_run(path: Path, records: Array, key: str) -> None:
    """Sorts records by a field and adds them to a file; of equal ones the first stays first."""
    with path.open("ab") as stream:
        # numpy's tofile would not say that the disk is full.
        stream.write(records[np.argsort(records[key], kind="stable")].tobytes())


@dataclass
class Run:
    """Sorted records in a file.

    Attributes:
      path: the file.
      start: the run's first record in it.
      stop: behind its last one.
      first: number of its part's first row among all rows.
      numbers: of the part's categories among all categories; None where they are these already.
    """

    path: Path
    start: int
    stop: int
    first: int = 0
    numbers: Optional[Array] = None

    def read(self, start: int, count: int) -> Array:
        """Reads so many records from a place in the file, none from behind the run."""
        count = min(count, self.stop - start)
        records = np.fromfile(self.path, RECORD, count, offset=start * RECORD.itemsize)
        records["row"] += np.uint64(self.first)
        if self.numbers is not None:
            records["category"] = self.numbers[records["category"]]
        return records


def ranges(runs: Sequence[Run], key: str) -> Iterator[Array]:
    """Reads runs that are sorted by a field together.

    Args:
      runs: in the order of the rows.
      key: the field, spread evenly over 64 bits.

    Yields:
      Records, RANGE_ROWS on average; all that are equal in the field come together, those of one
      run in their order and after those of the runs before.
    """
    total = sum(run.stop - run.start for run in runs)
    count = -(-total // RANGE_ROWS)
    places = [run.start for run in runs]
    for number in range(count):
        last = np.uint64((number + 1) * (1 << 64) // count - 1)
        found = []
        for index, run in enumerate(runs):
            step = 2 * (run.stop - run.start) // count + 64
            while len(records := run.read(places[index], step)):
                taken = int(np.searchsorted(records[key], last, side="right"))
                # Not a view, which would keep what was read beyond the range.
                found.append(records[:taken].copy())
                places[index] += taken
                if taken < len(records):
                    break
        yield np.concatenate(found) if found else np.empty(0, RECORD)
