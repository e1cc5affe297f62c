"""Product files as commands find them: what is passed over is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from prodcls_tf.cli import terminal

_SHOWN = 3


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Finds product files as `data.files.find_files`, and notes files with other endings.

    Raises:
      InputError: as there.
    """
    from prodcls_tf.data import files

    found = files.find_files(paths)
    _note("their endings are not supported", files.other_files(paths))
    return found


def find_splits(paths: Mapping[str, Sequence[Path]], window: int) -> dict[str, list[Path]]:
    """Finds the product files of a run, and notes those beside spans and with other endings.

    Args:
      paths: files, folders, also such with spans, and patterns, by source.
      window: how many of the newest spans of a folder are taken; 0 for all.

    Returns:
      Files by source.

    Raises:
      InputError: a path stands for no product file, or there is a window and no span.
    """
    from prodcls_tf.data.spans import beside_spans, check_window, in_window

    every = dict.fromkeys(path.expanduser() for some in paths.values() for path in some)
    check_window(list(every), window)
    found = {name: find_files(in_window(some, window)) for name, some in paths.items()}
    for path in every:
        why = f"of {terminal.nearby(path)} only spans are read (folders span-1, span-2, ...)"
        _note(why, beside_spans(path))
    return found


def _note(why: str, files: Sequence[Path]) -> None:
    if files:
        shown = ", ".join(terminal.nearby(path) for path in files[:_SHOWN])
        more = f" and {len(files) - _SHOWN:,} more" if len(files) > _SHOWN else ""
        count = terminal.counted(len(files), "file")
        terminal.note(f"{count} passed over, since {why}: {shown}{more}")
