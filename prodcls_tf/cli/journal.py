"""How much of an unfinished output file is safely written, in a small file beside it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

import pydantic


class Entry(pydantic.BaseModel):
    """The state of an unfinished output file.

    Attributes:
      options: what else its contents depend on, by name.
      rows: rows in it.
      size: bytes that they take, the header included; what lies behind them is to be cut off.
      digest: of these rows as they were read, so that they are known again.
      blank: those of the rows that have no text.
      versions: rows by the version of the model that answered.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    options: Mapping[str, str]
    rows: int = pydantic.Field(ge=0)
    size: int = pydantic.Field(ge=0)
    digest: str
    blank: int = 0
    versions: Mapping[int, int] = {}


class Journal:
    """Keeps one entry, whole at any time: a killed process leaves the last one or the one before.

    Args:
      path: its file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = path.with_name(f"{path.name}.next")

    def read(self) -> Optional[Entry]:
        """Returns the entry, None if there is none or another program wrote it."""
        try:
            return Entry.model_validate_json(self.path.read_bytes())
        except (OSError, ValueError):
            return None

    def write(self, entry: Entry) -> None:
        """Replaces the entry, on the disk too.

        Raises:
          OSError: it cannot be written; the one before stays.
        """
        with self._next.open("wb") as stream:
            stream.write(entry.model_dump_json().encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        self._next.replace(self.path)

    def remove(self) -> None:
        """Removes it."""
        for path in (self.path, self._next):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
