"""Small disks, to be filled up."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")


@contextlib.contextmanager
def small_disk(folder: Path, *options: str, size: str = "1m") -> Iterator[Path]:
    """Mounts a disk in memory, of a megabyte if nothing else is said."""
    folder.mkdir()
    chosen = ",".join((f"size={size}", *options))
    subprocess.run(["mount", "-t", "tmpfs", "-o", chosen, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
