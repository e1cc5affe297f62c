"""Finding the named columns in a file, or saying which are there."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from prodcls_tf.errors import InputError

_SHOWN = 30


def check_columns(present: Sequence[str], wanted: Mapping[str, str], path: Path) -> None:
    """Refuses a file that lacks a wanted column or has it twice.

    Columns that nobody asked for may be called anything, twice or not at all.

    Args:
      present: the file's columns.
      wanted: the columns that must be there, each once, with the option that names each one.
      path: the file, for the message.

    Raises:
      InputError: a column is missing or ambiguous.
    """
    for column, option in wanted.items():
        if column not in present:
            raise InputError(
                f"{path}: The column {column!r} is missing. {_listed(present)} "
                f"{_suggested(column, present, option)}"
            )
        if present.count(column) > 1:
            raise InputError(
                f"{path}: A column that is used must have a name of its own. Received "
                f"{present.count(column)} columns named {column!r}. Rename all but one of them, "
                f"or use another column with {option}."
            )


def _listed(present: Sequence[str]) -> str:
    if not any(present):
        return "The file has no named columns: its first row must name them."
    names = [repr(name) for name in present if name]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"The file has the columns {', '.join(names[:_SHOWN])}{more}."


def _suggested(column: str, present: Sequence[str], option: str) -> str:
    folded = {name.casefold(): name for name in reversed(present) if name}
    close = difflib.get_close_matches(column.casefold(), list(folded), n=1)
    if close:
        name = repr(folded[close[0]])
        gap = "" if option.endswith("=") else " "
        return f"Did you mean {name}? Then use: {option}{gap}{name}"
    return f"Name the column with {option}."
