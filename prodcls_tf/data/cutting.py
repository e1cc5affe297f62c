"""Where a product file can be cut into parts that are read one by one, or side by side.

- Parquet: between row groups.
- JSON lines: after any line.
- CSV: after any record. A line break inside quotes ends no record, so the file is scanned once from
  its beginning: a line without a quote is a record, the others are given to the same csv.reader
  that reads them later.

Packed files are one part, and so is text in an encoding in which the byte of a line end can be a
part of a character (UTF-16) or means something else after other bytes (UTF-7, ISO 2022).
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Optional

from prodcls_tf.data.csv_mending import UnclosedError, mended, unescaped
from prodcls_tf.data.csv_rows import csv_records
from prodcls_tf.data.files import Stretch, is_packed, kind_of, refusing_unreadable
from prodcls_tf.data.json_rows import json_rows
from prodcls_tf.data.notes import FileNotes
from prodcls_tf.data.parquet_rows import group_sizes
from prodcls_tf.data.reading import csv_style, wanted_columns
from prodcls_tf.data.text_lines import MARK, MAX_LINE_CHARACTERS
from prodcls_tf.settings import DataSettings

# A part has at least so much, but for the last one: some 100,000 titles.
PART_BYTES = 8 << 20
PART_ROWS = 100_000

# No character has more than four bytes.
_LONGEST = 4 * MAX_LINE_CHARACTERS

# In these, by the beginnings of the codecs' names, 0a and 0d are line ends wherever they stand.
_PLAIN_ENDS = (
    "ascii", "big5", "cp125", "cp437", "cp85", "cp866", "cp932", "cp949", "cp950", "euc", "gb",
    "iso8859", "koi8", "mac", "shift",
)  # fmt: skip


def stretches(path: Path, settings: DataSettings, notes: FileNotes) -> list[Optional[Stretch]]:
    """Cuts a file, as far as it is long enough to be cut.

    Args:
      path: a product file.
      settings: as for `read_file`.
      notes: get the encoding and the delimiter; they are to be tolerant.

    Returns:
      The stretches in the order of the file, which cover it; or [None] for the whole file.

    Raises:
      InputError: the file cannot be opened, or lacks a column.
    """
    wanted, kind, header = wanted_columns(settings, True), kind_of(path), (0, [""])
    if kind == "parquet":
        return _between(_group_places(group_sizes(path, wanted)))
    if kind in ("csv", "tsv"):
        header = next(csv_records(path, wanted, csv_style(settings, kind), notes), header)
    elif kind == "json":
        next(json_rows(path, wanted, settings.encoding, notes), None)
    with refusing_unreadable(path):
        size = path.stat().st_size
    if size <= PART_BYTES or is_packed(path) or not _has_plain_ends(notes.encoding):
        return [None]
    with refusing_unreadable(path), path.open("rb") as stream:
        return _between(list(_cuts(stream, size, notes, header)))


def _between(places: list[tuple[int, int]]) -> list[Optional[Stretch]]:
    """The stretches that end at these places, and the last one."""
    if not places:
        return [None]
    stops = [*(place for place, _ in places), None]
    starts = [(0, 1), *places]
    return [Stretch(start, stop, line) for (start, line), stop in zip(starts, stops, strict=True)]


def _group_places(sizes: list[int]) -> list[tuple[int, int]]:
    """Row groups before which a part ends, each with the number of its first row."""
    places, rows, last = [], 0, 0
    for group, size in enumerate(sizes):
        if rows - last >= PART_ROWS:
            places.append((group, rows + 1))
            last = rows
        rows += size
    return places


def _has_plain_ends(encoding: str) -> bool:
    name = codecs.lookup(encoding).name
    return name == "utf-8" or name.startswith(_PLAIN_ENDS)


def _cuts(
    stream: BinaryIO, size: int, notes: FileNotes, header: tuple[int, list[str]]
) -> Iterator[tuple[int, int]]:
    """Finds places behind the header where a record begins, PART_BYTES apart or a little more.

    What cannot be read as CSV at all ends the search: all after it stays in one part, and whoever
    reads that part says what is wrong.

    Yields:
      The place, and the number of the line that begins there.
    """
    delimiter, (last, names) = notes.delimiter or ",", header
    lines = _Lines(stream, notes.encoding, delimiter, len(names))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    quoted, goal = bool(notes.delimiter), PART_BYTES
    while raw := lines.read(goal, quoted):
        if quoted and b'"' in raw:
            lines.waiting = lines.physical(raw)
            while lines.waiting:
                lines.taken.clear()
                try:
                    next(reader)
                except csv.Error:
                    if len(lines.taken) != 1:
                        return
                    try:
                        mended(lines.taken[0], lines, delimiter, len(names))
                    except UnclosedError:
                        return
        if lines.place >= goal and lines.number > last and lines.place < size and lines.sound():
            yield lines.place, lines.number
            goal = lines.place + PART_BYTES


class _Lines:
    """Lines of a file for csv.reader, with the place of the one that comes next.

    Attributes:
      place: of its first byte.
      number: its number.
      waiting: lines that were read from the file and are not yet taken, the last one first.
      taken: those that were taken since somebody cleared it.
    """

    def __init__(self, stream: BinaryIO, encoding: str, delimiter: str, width: int) -> None:
        self.place, self.number = 0, 1
        self.waiting: list[str] = []
        self.taken: list[str] = []
        self._stream, self._encoding, self._raw = stream, encoding, b""
        self._delimiter, self._width = delimiter, width

    def read(self, goal: int, quoted: bool) -> bytes:
        """Reads on to the first line that ends at the goal or later, or, if `quoted`, has a quote.

        A line here goes to the next 0a.

        Returns:
          The line; b'' at the end of the file, or where a line is too long to be one.
        """
        place, number, raw = self.place, self.number, b""
        while raw := self._stream.readline(_LONGEST):
            place += len(raw)
            number += 1
            if b"\r" in raw:
                number += raw.count(b"\r") - raw.endswith(b"\r\n")
            if place >= goal or (quoted and b'"' in raw):
                break
        self.place, self.number = place, number
        self._raw = b"" if len(raw) >= _LONGEST else raw
        return self._raw

    def physical(self, raw: bytes) -> list[str]:
        """Returns the lines in it as `text_lines` tells them, the last one first."""
        text = raw.decode(self._encoding, MARK).replace("\0", "\udc00")
        if self.place == len(raw):
            text = text.removeprefix("\ufeff")
        return list(io.StringIO(text, newline=""))[::-1]

    def sound(self) -> bool:
        """Whether what was read last is text to its end: no character is cut in two after it."""
        try:
            self._raw.decode(self._encoding)
        except UnicodeDecodeError:
            return False
        return self._raw.endswith(b"\n")

    def peek(self) -> Optional[str]:
        """Returns the next line that is not blank, without using it up; None at the end."""
        while not any(line.strip() for line in self.waiting):
            more = self.physical(self.read(0, quoted=False))
            if not more:
                return None
            self.waiting[:0] = more
        return next(line for line in reversed(self.waiting) if line.strip())

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if not self.waiting:
            self.waiting = self.physical(self.read(0, quoted=False))
        if not self.waiting:
            raise StopIteration
        line = self.waiting.pop()
        self.taken.append(line)
        return unescaped(line, self._delimiter, self._width) if len(self.taken) == 1 else line
