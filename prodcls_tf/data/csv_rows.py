"""CSV as shops export it: RFC 4180, bare inch marks, and no row glued to the next in silence.

A field that does not begin with a quote is taken as it stands, inch marks and all. A field that
begins with one follows RFC 4180. Where it does not (`"13" laptop",Laptops`), `csv_mending` has a
look, and what it reads is counted as mended. A quote that is still open at the end of its line is
never guessed at: nobody can tell the rows that it swallows from a text of several lines.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from prodcls_tf.data.columns import check_columns
from prodcls_tf.data.csv_mending import AT_END, UnclosedError, mended, unescaped
from prodcls_tf.data.detecting import AUTO
from prodcls_tf.data.files import Stretch
from prodcls_tf.data.notes import FileNotes, RowError
from prodcls_tf.data.text_lines import (
    MAX_LINE_CHARACTERS,
    bad_bytes,
    bad_row,
    not_text,
    text_lines,
)
from prodcls_tf.errors import InputError

# A quoted field beyond these bounds is taken for one whose closing quote is missing.
MAX_QUOTED_LINES = 1_000
MAX_QUOTED_CHARACTERS = 1_000_000

_DELIMITERS = (",", "\t", ";", "|")
_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
_DECLARED = re.compile("sep=(.)")


def csv_rows(
    path: Path,
    wanted: Mapping[str, str],
    style: CsvStyle,
    notes: FileNotes | None = None,
    stretch: Stretch | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """Reads the wanted columns of a CSV file, row by row; empty lines are skipped.

    Args:
      path: the file.
      wanted: names of the columns to read, with the option that names each one; the header's names
        are taken without outer blanks.
      style: how the file is written, as far as it is known.
      notes: told of encoding, delimiter, mended quotes, and of the rows that are passed over.
      stretch: what to read of the file, whole records as `cutting` finds them; None for all.

    Yields:
      The physical line at which the row starts, counted from 1, and the wanted cells.

    Raises:
      InputError: the file is empty, lacks a column, or has a quoted field that is not closed; or,
        where the notes are not tolerant, a byte is not in the encoding, or a row has another number
        of cells than the header.
    """
    places: list[int] = []
    for line, cells in csv_records(path, wanted, style, notes, stretch):
        if places:
            yield line, [cells[place] for place in places]
        else:
            places = [cells.index(column) for column in wanted]


def csv_records(
    path: Path,
    wanted: Mapping[str, str],
    style: CsvStyle,
    notes: FileNotes | None = None,
    stretch: Stretch | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """Reads all columns of a CSV file, the header first; otherwise as `csv_rows`.

    Args:
      path: the file.
      wanted: names of the columns that must be there, each once, with the option that names each
        one; the others may be called anything, twice or not at all.
      style: how the file is written, as far as it is known.
      notes: told of what is noticed.
      stretch: as in `csv_rows`; the header is the file's in any case.

    Yields:
      The physical line at which the record starts, counted from 1, and its cells, as many as the
      header has. The header's are without outer blanks.

    Raises:
      InputError: as `csv_rows`.
    """
    notes = notes or FileNotes()
    at_start = stretch is None or stretch.start == 0
    lines = text_lines(path, style.encoding, notes, stretch if at_start else None)
    source = _Source(path, lines)
    header = source.peek()
    if header is None:
        raise InputError(
            f"{path}: A CSV file must begin with a row of column names. Received an empty file. "
            "Export it again, or leave it out."
        )
    if bad_bytes([header]):
        raise not_text(path, source.waiting, header, notes.encoding)
    declared = source.declared()
    delimiter = style.delimiter
    if delimiter == AUTO:
        delimiter = declared or _delimiter(header, wanted)
    notes.delimiter = source.delimiter = delimiter
    for line, cells in _records(source, delimiter, notes):
        if source.width is None:
            cells = [name.strip() for name in cells]
            check_columns(cells, wanted, path)
            source.width = len(cells)
            if stretch and not at_start:
                source.go_on(text_lines(path, style.encoding, notes, stretch), stretch.line)
        elif notes.tolerant and bad_bytes(source.record):
            notes.refuse(bad_row(path, line, source.record, notes.encoding))
            continue
        elif len(cells) != source.width:
            notes.refuse(_miscounted(source, line, len(cells), delimiter))
            continue
        yield line, cells


class CsvStyle(NamedTuple):
    """How a CSV file is written.

    Attributes:
      encoding: name of a Python codec, or `auto`.
      delimiter: what stands between two cells. With `auto` it is what an Excel line `sep=;` before
        the header says, or else the first of comma, tab, semicolon and bar at which the header can
        be cut so that it shows all wanted columns.
    """

    encoding: str = "utf-8"
    delimiter: str = AUTO


class _Source:
    """Lines for csv.reader, which remembers those of the record that is being read.

    Attributes:
      path: of the file.
      number: of the line that was taken last.
      delimiter: what stands between two cells.
      width: cells of the header; None until it is read.
      record: lines of the record.
      rewritten: whether csv.reader got its first one otherwise than it stands there.
    """

    def __init__(self, path: Path, lines: Iterator[str]):
        self.path = path
        self.number = 0
        self.delimiter = ""
        self.width: int | None = None
        self.record: list[str] = []
        self.rewritten = False
        self._characters = 0
        self._lines = lines
        self._peeked: list[str] = []

    def peek(self) -> str | None:
        """Returns the next line that is not blank, without using it up; None at the end."""
        if not self._peeked or not self._peeked[0].strip():
            more: list[str] = []
            for line in self._lines:
                more.append(line)
                if line.strip():
                    break
            self._peeked[:0] = reversed(more)
        return next((line for line in reversed(self._peeked) if line.strip()), None)

    @property
    def waiting(self) -> int:
        """The number of the line that `peek` returned."""
        return self.number + len(self._peeked)

    def declared(self) -> str:
        """Uses up an Excel line such as `sep=;` and returns the delimiter in it, '' without one."""
        match = _DECLARED.fullmatch(self._peeked[0].strip("\r\n")) if self._peeked else None
        if match is None:
            return ""
        self.number += len(self._peeked)
        self._peeked.clear()
        return match[1]

    def go_on(self, lines: Iterator[str], number: int) -> None:
        """Takes other lines from here on, of which the first has this number."""
        self._lines = lines
        self.number = number - 1

    def start(self) -> None:
        """Begins a new record."""
        self.record = []
        self.rewritten = False
        self._characters = 0

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> str:
        if len(self.record) > MAX_QUOTED_LINES or self._characters > MAX_QUOTED_CHARACTERS:
            raise UnclosedError
        line = self._peeked.pop() if self._peeked else next(self._lines)
        self.number += 1
        self.record.append(line)
        self._characters += len(line)
        if len(self.record) > 1 or self.width is None or '\\"' not in line:
            return line
        readable = unescaped(line, self.delimiter, self.width)
        self.rewritten = readable != line
        return readable


def _records(source: _Source, delimiter: str, notes: FileNotes) -> Iterator[tuple[int, list[str]]]:
    """All records with the line they start at; the empty ones of blank lines left out."""
    if csv.field_size_limit() < MAX_LINE_CHARACTERS:
        csv.field_size_limit(MAX_LINE_CHARACTERS)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        source.start()
        first = source.number + 1
        try:
            cells = _next(reader, source, delimiter, notes)
        except StopIteration:
            return
        except UnclosedError:
            raise _unclosed(source.path, first, source.record, delimiter) from None
        # A line of nothing but blanks is a row only where a row has one cell.
        if cells and (len(cells) > 1 or source.width == 1 or cells[0].strip()):
            yield first, cells


def _next(
    reader: Iterator[list[str]], source: _Source, delimiter: str, notes: FileNotes
) -> list[str]:
    """The cells of the next record, none where the record is passed over."""
    try:
        cells = next(reader)
        if source.rewritten:
            notes.mended.count(f"{source.path}:{source.number}")
        return cells
    except csv.Error as error:
        if str(error) == AT_END or len(source.record) != 1 or source.width is None:
            raise UnclosedError from None
    first = source.number
    read = mended(source.record[0], source, delimiter, source.width)
    if read is None:
        for number, line in enumerate(source.record, first):
            if line.strip():
                notes.refuse(_misquoted(source, number, line))
        return []
    notes.mended.count(f"{source.path}:{first}")
    return read


def _delimiter(header: str, wanted: Mapping[str, str]) -> str:
    for delimiter in _DELIMITERS:
        names = {name.strip() for name in next(csv.reader([header], delimiter=delimiter))}
        if names.issuperset(wanted):
            return delimiter
    # A column is missing whichever it is: the most cells make the most helpful message.
    return max(_DELIMITERS, key=header.count)


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


def _misquoted(source: _Source, number: int, line: str) -> RowError:
    lines = len(source.record)
    received = (
        f"a line whose quotes leave no {source.width} cells"
        if lines == 1
        else f"{lines} lines that may be rows, or one text"
    )
    return RowError(
        source.path,
        number,
        "quotes that do not fit",
        line,
        "A field that begins with a double quote must end with one, before a delimiter or the end "
        f"of the line. Received {received}. Write quotes inside a quoted field twice "
        '("13"" laptop"), or take the quotes around the field away.',
    )


def _miscounted(source: _Source, line: int, received: int, delimiter: str) -> RowError:
    name = _NAMES.get(delimiter, repr(delimiter))
    return RowError(
        source.path,
        line,
        f"{received} cell{'' if received == 1 else 's'} instead of {source.width}",
        "".join(source.record),
        f"A row must have as many cells as the header. Expected {source.width} cells, received "
        f"{received}. Put text that holds {name} between double quotes, and check that no cell is "
        "left out.",
    )
