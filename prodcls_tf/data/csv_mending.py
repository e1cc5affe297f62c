"""CSV records whose quotes break RFC 4180: read where there is one reading, or passed over.

- A quote after a backslash, as databases export it, is a quote in the text, where the line is a
  record only so.
- Else the one line is read again: a quote ends a field only before a delimiter or the line's end
  (`"13" laptop",Laptops`), or else the field's quotes are all part of its text (`"Best" mug,Cups`).
  The first of the two that gives the header's number of cells holds.
- A field that is not closed by the second reading may go on in the next line. Where that one looks
  so, as it closes a quote or has another number of cells, all these lines are passed over together.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple, Optional, Protocol

# What csv.reader says of a quote that is open at the end of the file.
AT_END = "unexpected end of data"

# So many lines a text may go on that is passed over with its beginning.
_MOST_LINES = 100

# A backslash before it may itself stand behind one, and is then the text's.
_ESCAPED_QUOTE = re.compile(r'(?<!\\)((?:\\\\)*)\\"')


class UnclosedError(Exception):
    """A quoted field has no end that could be told."""


class Lines(Protocol):
    """Physical lines, one after another."""

    def __iter__(self) -> Iterator[str]:
        """Returns itself."""

    def __next__(self) -> str:
        """Returns the next line."""

    def peek(self) -> Optional[str]:
        """Returns the next line that is not blank, without using it up; None at the end."""


def unescaped(line: str, delimiter: str, width: int) -> str:
    r"""Doubles the quotes behind backslashes of a line that is a record only with them.

    Args:
      line: the first one of a record.
      delimiter: what stands between two cells.
      width: cells of the header.

    Returns:
      The line as RFC 4180 has it; as it is where it fits so, or fits neither way.

    Example:
      >>> unescaped('"13\\", black",Mugs', ",", 2)
      '"13"", black",Mugs'
    """
    if '\\"' in line and not _fits(line, delimiter, width):
        doubled = _doubled(line)
        if _fits(doubled, delimiter, width):
            return doubled
    return line


def mended(first: str, following: Lines, delimiter: str, width: int) -> Optional[list[str]]:
    """Reads a record that breaks RFC 4180.

    Args:
      first: its first line, which `unescaped` left as it is.
      following: the lines after it, of which those that belong to the record are used up.
      delimiter: what stands between two cells.
      width: cells of the header.

    Returns:
      The cells; None where no reading fits.

    Raises:
      UnclosedError: a quote may be open at the line's end, and nobody can tell up to where.
    """
    if '\\"' in first:
        cells = _escaped(first, following, delimiter)
        if cells is not None:
            return cells
    loose = _loose(first.rstrip("\r\n"), delimiter, width)
    if loose.open and _goes_on(following, delimiter, width):
        return None
    return loose.cells


def _escaped(first: str, following: Lines, delimiter: str) -> Optional[list[str]]:
    """Reads quotes behind backslashes in several lines; None for one, left to the next reading."""
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for line in itertools.chain([first], following):
            taken += 1
            yield _doubled(line)

    try:
        cells = next(csv.reader(lines(), delimiter=delimiter, strict=True))
    except csv.Error as error:
        if taken > 1 or str(error) == AT_END:
            raise UnclosedError from None
        return None
    return cells if taken > 1 else None


def _doubled(line: str) -> str:
    return _ESCAPED_QUOTE.sub(r'\1""', line)


def _fits(line: str, delimiter: str, width: int) -> bool:
    """Whether a line is a record by itself."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter, strict=True))) == width
    except csv.Error:
        return False


class _Loose(NamedTuple):
    """What one line comes to.

    Attributes:
      cells: None where no reading fits.
      open: whether a field begins with a quote and does not end with one.
    """

    cells: Optional[list[str]]
    open: bool


def _loose(line: str, delimiter: str, width: int) -> _Loose:
    end = rf"[ ]*(?={re.escape(delimiter)}|$)"
    proper = re.compile(rf'"((?:[^"]|"")*)"{end}')
    wrapped = re.compile(rf'"(.*?)"{end}')
    is_open = False
    for loose in (wrapped, None):
        cells: list[str] = []
        is_open, position = False, 0
        while position <= len(line):
            match = proper.match(line, position) or (loose and loose.match(line, position))
            if match:
                cells.append(match[1].replace('""', '"').replace('\\"', '"'))
                position = match.end() + 1
                continue
            stop = line.find(delimiter, position)
            stop = len(line) if stop < 0 else stop
            cells.append(line[position:stop])
            position = stop + 1
            if cells[-1].startswith('"'):
                is_open = True
                if cells[-1].count('"') % 2:
                    raise UnclosedError
        if len(cells) == width:
            return _Loose(cells, is_open)
    return _Loose(None, is_open)


def _goes_on(following: Lines, delimiter: str, width: int) -> bool:
    """Uses up the lines in which an open field may go on; whether there are any."""
    found = False
    for _ in range(_MOST_LINES):
        line = following.peek()
        if line is None or line.startswith('"'):
            break
        closes = _closes(line, delimiter)
        if not closes and len(next(csv.reader([line], delimiter=delimiter))) == width:
            break
        found = True
        while not next(following).strip():
            pass
        if closes:
            break
    return found


def _closes(line: str, delimiter: str) -> bool:
    """Whether a quote ends a field that does not begin with one, as inch marks do, too."""
    cells = (cell.strip() for cell in line.split(delimiter))
    return any(
        not cell.startswith('"') and (len(cell) - len(cell.rstrip('"'))) % 2 for cell in cells
    )
