"""The list of all rows that an intake left out, one by one."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class LeftOut(NamedTuple):
    """A row that is in no split.

    Attributes:
      file: its file.
      line: its line there.
      reason: why, in a few words.
      excerpt: its beginning, as the file has it.
    """

    file: str
    line: int
    reason: str
    excerpt: str


@contextlib.contextmanager
def rejects_file(path: Path, *, header: bool = True) -> Iterator[Callable[[LeftOut], None]]:
    """Opens the list, a CSV file with the names of `LeftOut` as its columns.

    Args:
      path: overwritten; it grows with the rows left out, memory does not.
      header: whether it begins with the names; a piece of a list does not.

    Yields:
      What takes a row.
    """
    with path.open("w", encoding="utf-8", errors="replace", newline="") as stream:
        lines = csv.writer(stream)
        if header:
            lines.writerow(LeftOut._fields)
        yield lines.writerow
