"""One process at a time writes a file; the lock goes with the process, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
from collections.abc import Iterator
from pathlib import Path

from prodcls_tf.cli.outputs import refusing_unwritable
from prodcls_tf.errors import OutputError


@contextlib.contextmanager
def locked(path: Path, output: Path) -> Iterator[io.FileIO]:
    """Opens a file for this process alone, and makes it if it is not there.

    Args:
      path: the file; whoever has the lock may rename it.
      output: what it will be, for the message.

    Yields:
      The file, open for reading and writing, without a buffer.

    Raises:
      OutputError: another process has the lock, or the file cannot be opened.
    """
    while True:
        with refusing_unwritable(output):
            stream = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+")
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(
                    f"One process at a time may write a file. Received {output}, which another "
                    "one is writing. Wait for it, or name another output."
                ) from None
            if _still_there(path, stream):
                yield stream
                return


def _still_there(path: Path, stream: io.FileIO) -> bool:
    """Whether the one that had the lock before has not just renamed this very file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False
