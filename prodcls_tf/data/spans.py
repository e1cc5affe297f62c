"""Spans: a folder whose subfolders `span-1`, `span-2`, ... hold the products of a time each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from prodcls_tf.data.files import files_below
from prodcls_tf.errors import InputError

_NAME = re.compile(r"span-(\d+)")

# So many paths are named in a message.
_SHOWN = 6


class Span(NamedTuple):
    """A span's number and its folder."""

    number: int
    folder: Path


def find_spans(folder: Path) -> list[Span]:
    """Finds the spans of a folder.

    Args:
      folder: any folder.

    Returns:
      Its spans, oldest first; none where no subfolder is called `span-` and a whole number.

    Raises:
      InputError: two subfolders bear the same number, such as `span-1` and `span-01`.

    Example:
      >>> find_spans(Path("data"))  # doctest: +SKIP
      [Span(number=1, folder=PosixPath('data/span-1'))]
    """
    spans: dict[int, Span] = {}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        number = _number(entry.name)
        if number is None or not entry.is_dir():
            continue
        if number in spans:
            raise InputError(
                f"Each span must have a number of its own. Received {spans[number].folder} and "
                f"{entry}. Rename one of them."
            )
        spans[number] = Span(number, entry)
    return sorted(spans.values())


def in_window(paths: Sequence[Path], window: int) -> list[Path]:
    """Puts the newest spans in the place of each folder that has spans.

    Args:
      paths: files, folders and patterns.
      window: how many of the newest spans are taken; 0 for all.

    Returns:
      The paths; those without spans as they are.

    Raises:
      InputError: two spans bear the same number.

    Example:
      >>> in_window([Path("data")], window=2)  # doctest: +SKIP
      [PosixPath('data/span-2'), PosixPath('data/span-3')]
    """
    chosen: list[Path] = []
    for path in paths:
        spans = find_spans(path.expanduser())
        chosen += [span.folder for span in spans[-window:]] if spans else [path]
    return chosen


def check_window(paths: Sequence[Path], window: int) -> None:
    """Refuses a window of the newest spans where there are none.

    Args:
      paths: files, folders and patterns.
      window: as for `in_window`.

    Raises:
      InputError: none of the paths has spans, and the window is not 0; or as `in_window`.
    """
    if not window or any(find_spans(path) for path in paths):
        return
    inside = [entry for path in paths if path.is_dir() for entry in sorted(path.iterdir())]
    names = ", ".join(str(path) for path in [*paths, *inside][:_SHOWN])
    raise InputError(
        "With data.spans, products must lie in a folder with spans: folders named span- and a "
        f"whole number. Received data.spans={window} and {names}: no span. Name the folder above, "
        "with the folders in it called span-1, span-2, ..., oldest first; or leave out data.spans."
    )


def beside_spans(folder: Path) -> list[Path]:
    """Finds what is passed over in a folder that has spans: the files that are in none of them.

    Args:
      folder: any folder.

    Returns:
      The files, hidden ones left out; none where the folder has no spans.

    Raises:
      InputError: two spans bear the same number.

    Example:
      >>> beside_spans(Path("data"))  # doctest: +SKIP
      [PosixPath('data/new.csv'), PosixPath('data/span-2024-01/products.csv')]
    """
    spans = {span.folder for span in find_spans(folder)}
    files = files_below(folder) if spans else []
    return [file for file in files if spans.isdisjoint(file.parents)]


def spans_of(files: Sequence[Path]) -> list[int]:
    """Returns the numbers of the spans in whose folders files lie, oldest first.

    Example:
      >>> spans_of([Path("data/span-2/a.csv"), Path("data/span-10/b.csv"), Path("c.csv")])
      [2, 10]
    """
    numbers = {_number(parent.name) for file in files for parent in file.parents}
    return sorted(number for number in numbers if number is not None)


def _number(name: str) -> Optional[int]:
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None
