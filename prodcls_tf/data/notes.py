"""What is noticed while a product file is read: how it is written, and which rows it spoils."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prodcls_tf.data.report import Finding
from prodcls_tf.errors import InputError

# Characters of a record that a list of rejected rows shows.
_EXCERPT = 120


class RowError(InputError):
    """One record cannot be read as its file is written; those around it can.

    Attributes:
      path: the file.
      line: at which the record starts, from 1.
      reason: what is wrong, in a few words.
      excerpt: the beginning of the record.
    """

    def __init__(self, path: Path, line: int, reason: str, text: str, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path, self.line, self.reason = path, line, reason
        self.excerpt = excerpt([text])


@dataclass
class FileNotes:
    """The notes on one file; a reader writes them while it yields rows.

    Attributes:
      on_reject: told of each record that is passed over; without it, the first one is an error.
      encoding: in which the file was read, '' where it has none.
      delimiter: what stood between its cells, '' where nothing does.
      marked: whether a byte-order mark was taken off.
      mended: records whose quotes broke the rules and could be read nevertheless.
      replaced: records in which half a surrogate pair became U+FFFD.
    """

    on_reject: Callable[[RowError], object] | None = None
    encoding: str = ""
    delimiter: str = ""
    marked: bool = False
    mended: Finding = field(default_factory=Finding)
    replaced: Finding = field(default_factory=Finding)

    @property
    def tolerant(self) -> bool:
        """Whether a bad record is passed over."""
        return self.on_reject is not None

    def refuse(self, error: RowError) -> None:
        """Passes over a record.

        Raises:
          RowError: the same one, where nobody is to be told.
        """
        if self.on_reject is None:
            raise error
        self.on_reject(error)


def excerpt(texts: Sequence[str]) -> str:
    r"""Returns the beginning of texts in one line, with undecodable bytes as `\x..`.

    Example:
      >>> excerpt(["Radio\n red", "caf\udce9"])
      'Radio red | caf\\xe9'
    """
    line = " ".join(" | ".join(texts)[: 2 * _EXCERPT].split())
    shown = "".join(f"\\x{ord(c) & 0xFF:02x}" if "\udc00" <= c <= "\udcff" else c for c in line)
    return shown if len(shown) <= _EXCERPT else f"{shown[: _EXCERPT - 3]}..."
