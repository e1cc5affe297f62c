"""Files and folders that outlive a power cut. Loads nothing heavy."""

from __future__ import annotations

import os
from pathlib import Path


def write_through(path: Path, content: bytes) -> None:
    """Writes a file, and returns when its content is on the disk.

    Args:
      path: of the file; overwritten.
      content: of it.

    Raises:
      OSError: it cannot be written.

    Example:
      >>> write_through(Path("baseline.json"), b"{}")  # doctest: +SKIP
    """
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Returns when the names in a folder are on the disk, such as that of a file just renamed.

    Args:
      folder: exists.

    Raises:
      OSError: it cannot be opened.

    Example:
      >>> sync_folder(Path("."))
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
