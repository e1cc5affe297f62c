"""CSV as shops export it: RFC 4180, bare inch marks, and no row glued to the next in silence.

A field that does not begin with a quote is taken as it stands, inch marks and all. A field that
begins with one follows RFC 4180. Where it does not (`"13" laptop",Laptops`), the one line is
read again: a quote ends the field only before a delimiter or the line's end, or else the field's
quotes are all part of its text; the first of the two that gives the header's number of cells
holds. A quote that is still open at the end of its line is never guessed at.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from prodcls_tf.data.columns import check_columns
from prodcls_tf.data.text_lines import MAX_LINE_CHARACTERS, text_lines
from prodcls_tf.errors import InputError

# A quoted field beyond these bounds is taken for one whose closing quote is missing.
MAX_QUOTED_LINES = 1_000
MAX_QUOTED_CHARACTERS = 1_000_000

_DELIMITERS = (",", "\t", ";")

# What csv.reader says of a quote that is open at the end of the file.
_AT_END = "unexpected end of data"


def csv_rows(
    path: Path, wanted: Sequence[str], label: str | None, encoding: str, kind: str = "csv"
) -> Iterator[tuple[int, list[str]]]:
    """Reads the wanted columns of a CSV file, row by row.

    The delimiter of a `tsv` is the tab. That of a `csv` is the comma, unless the header shows all
    wanted columns only when it is cut at tabs, or else at semicolons. Empty lines are skipped.

    Args:
      path: the file.
      wanted: names of the columns to read; the header's names are taken without outer blanks.
      label: the one of `wanted` that is the label column, if any.
      encoding: name of a Python codec.
      kind: `csv` or `tsv`.

    Yields:
      The physical line at which the row starts, counted from 1, and the wanted cells.

    Raises:
      InputError: the file is empty, not in the encoding, lacks a column, has a row with another
        number of cells than the header, or a quoted field that is not closed.
    """
    places: list[int] = []
    for line, cells in csv_records(path, wanted, label, encoding, kind):
        if places:
            yield line, [cells[place] for place in places]
        else:
            places = [cells.index(column) for column in wanted]


def csv_records(
    path: Path, wanted: Sequence[str], label: str | None, encoding: str, kind: str = "csv"
) -> Iterator[tuple[int, list[str]]]:
    """Reads all columns of a CSV file, the header first; otherwise as `csv_rows`.

    Args:
      path: the file.
      wanted: names of the columns that must be there, each once; the others may be called
        anything, twice or not at all.
      label: the one of `wanted` that is the label column, if any.
      encoding: name of a Python codec.
      kind: `csv` or `tsv`.

    Yields:
      The physical line at which the record starts, counted from 1, and its cells, as many as the
      header has. The header's are without outer blanks.

    Raises:
      InputError: as `csv_rows`.
    """
    source = _Source(path, encoding)
    header_line = source.peek()
    if header_line is None:
        raise InputError(
            f"{path}: A CSV file must begin with a row of column names. Received an empty file. "
            "Export it again, or leave it out."
        )
    delimiter = "\t" if kind == "tsv" else _delimiter(header_line, wanted)
    for line, cells in _records(source, delimiter):
        if source.width is None:
            cells = [name.strip() for name in cells]
            check_columns(cells, wanted, path, label)
            source.width = len(cells)
        elif len(cells) != source.width:
            raise _miscounted(path, line, source.width, len(cells), delimiter)
        yield line, cells


class _Source:
    """Lines for csv.reader, which remembers those of the record that is being read."""

    def __init__(self, path: Path, encoding: str):
        self.path = path
        self.number = 0
        self.width: int | None = None
        self.record: list[str] = []
        self._characters = 0
        self._lines = text_lines(path, encoding)
        self._peeked: list[str] = []

    def peek(self) -> str | None:
        """Returns the first line that is not blank, without using it up."""
        for line in self._lines:
            self._peeked.append(line)
            if line.strip():
                self._peeked.reverse()
                return line
        return None

    def start(self) -> None:
        """Begins a new record."""
        self.record = []
        self._characters = 0

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> str:
        if len(self.record) > MAX_QUOTED_LINES or self._characters > MAX_QUOTED_CHARACTERS:
            raise _UnclosedError
        line = self._peeked.pop() if self._peeked else next(self._lines)
        self.number += 1
        self.record.append(line)
        self._characters += len(line)
        return line


class _UnclosedError(Exception):
    """A quoted field went beyond the bounds."""


def _records(source: _Source, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """All records with the line they start at; the empty ones of blank lines left out."""
    if csv.field_size_limit() < MAX_LINE_CHARACTERS:
        csv.field_size_limit(MAX_LINE_CHARACTERS)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        source.start()
        first = source.number + 1
        try:
            cells: list[str] | None = next(reader)
        except StopIteration:
            return
        except _UnclosedError:
            cells = None
        except csv.Error as error:
            at_end = str(error) == _AT_END
            cells = None if at_end else _mended(source.record, delimiter, source.width)
        if cells is None:
            raise _unclosed(source.path, first, source.record, delimiter)
        # A line of nothing but blanks is a row only where a row has one cell.
        if cells and (len(cells) > 1 or source.width == 1 or cells[0].strip()):
            yield first, cells


def _delimiter(header: str, wanted: Sequence[str]) -> str:
    for delimiter in _DELIMITERS:
        names = {name.strip() for name in next(csv.reader([header], delimiter=delimiter))}
        if names.issuperset(wanted):
            return delimiter
    # A column is missing whichever it is: the most cells make the most helpful message.
    return max(_DELIMITERS, key=header.count)


def _mended(record: Sequence[str], delimiter: str, width: int | None) -> list[str] | None:
    """Reads a single line whose quotes break RFC 4180, None where no reading fits."""
    if len(record) != 1 or width is None:
        return None
    line = record[0].rstrip("\r\n")
    end = rf"[ ]*(?={re.escape(delimiter)}|$)"
    proper = re.compile(rf'"((?:[^"]|"")*)"{end}')
    wrapped = re.compile(rf'"(.*?)"{end}')
    for loose in (wrapped, None):
        cells: list[str] = []
        position = 0
        while position <= len(line):
            match = proper.match(line, position) or (loose and loose.match(line, position))
            if match:
                cells.append(match[1].replace('""', '"'))
                position = match.end() + 1
            else:
                stop = line.find(delimiter, position)
                stop = len(line) if stop < 0 else stop
                cells.append(line[position:stop])
                position = stop + 1
                if cells[-1].startswith('"') and cells[-1].count('"') % 2:
                    return None
        if len(cells) == width:
            return cells
    return None


def _opening(record: Sequence[str], delimiter: str) -> int:
    """Which line of a broken record opens the quote that is not closed, counted from 0."""
    opened, inside, closing, at_start = 0, False, False, True
    for number, line in enumerate(record):
        for sign in line:
            if inside:
                inside, closing = sign != '"', sign == '"'
            elif closing and sign == '"':
                inside, closing = True, False
            elif closing and sign not in (delimiter, "\r", "\n"):
                return opened
            elif at_start and sign == '"':
                inside, opened = True, number
            else:
                closing = False
            at_start = not inside and not closing and sign in (delimiter, "\r", "\n")
    return opened


def _unclosed(path: Path, first: int, record: Sequence[str], delimiter: str) -> InputError:
    line = first + _opening(record, delimiter)
    last = first + len(record) - 1
    return InputError(
        f"{path}:{line}: A field that begins with a double quote must end with one, before a "
        f"delimiter or the end of a line. Received one that opens in line {line} and is not "
        f"closed so up to line {last}. Close the quote; write quotes inside a quoted "
        'field twice ("13"" laptop"), or take the quotes around the field away.'
    )


def _miscounted(path: Path, line: int, width: int, received: int, delimiter: str) -> InputError:
    name = {",": "commas", "\t": "tabs", ";": "semicolons"}[delimiter]
    return InputError(
        f"{path}:{line}: A row must have as many cells as the header. Expected {width} cells, "
        f"received {received}. Put text that holds {name} between double quotes, and check that "
        "no cell is left out."
    )
