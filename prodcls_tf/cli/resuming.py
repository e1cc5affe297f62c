"""Output files that a second call goes on with where the first was stopped, by whatever it was.

The rows go to `OUTPUT.part`; `OUTPUT.journal` says how many of them are safe. The same call reads
the input from its beginning, knows the written rows again by their digest, cuts off what lies
behind the last safe one, and goes on. Where options or rows have changed it says so, and touches
nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from prodcls_tf import progress
from prodcls_tf.cli import terminal
from prodcls_tf.cli.answers import Ranked, Writer, writer
from prodcls_tf.cli.journal import Entry, Journal
from prodcls_tf.cli.locking import locked
from prodcls_tf.cli.outputs import refusing_unwritable
from prodcls_tf.durable import sync_folder
from prodcls_tf.errors import InputError, OutputError

if TYPE_CHECKING:
    from prodcls_tf.cli.whole_rows import WholeRow

# The disk is waited for once in so many seconds: what is lost at most when the power fails.
_KEPT_EVERY = 1.0
_FOUND_EVERY = 10_000


class Part:
    """An output file on its way; made by `resuming`.

    Args:
      output: the file that it becomes.
      stream: the locked `.part` file.
      top_k: categories in an answer.
      options: all but the rows that the output depends on.
      fresh: whether an earlier call's rows are thrown away.

    Attributes:
      done: what is written, and safe as far as this process is concerned; None before `unwritten`.
    """

    def __init__(
        self,
        output: Path,
        stream: io.FileIO,
        top_k: int,
        options: Mapping[str, str],
        fresh: bool,
    ) -> None:
        self.output = output
        self.done: Optional[Entry] = None
        self._stream, self._journal = stream, _journal(output)
        self._top_k, self._options, self._fresh = top_k, dict(options), fresh
        self._buffer = io.StringIO(newline="")
        self._write: Writer = writer(output, self._buffer, top_k)
        self._digest = _Digest()
        self._kept = time.monotonic()

    def unwritten(self, rows: Iterator[WholeRow]) -> Iterator[WholeRow]:
        """Finds the rows that are yet to be written.

        Args:
          rows: all rows, from the first one on.

        Returns:
          Those behind the ones that an earlier call wrote.

        Raises:
          InputError: a row cannot be read, or the earlier call was asked for something else.
          OutputError: the part cannot be written.
        """
        before = None if self._fresh else self._journal.read()
        # Without its part, a journal is that of a file that was finished.
        if before is None or not before.rows or not self._size():
            digest = self._digest.value()
            self._begin(Entry(options=self._options, rows=0, size=0, digest=digest))
            return rows
        changed = [
            name for name, value in self._options.items() if before.options.get(name) != value
        ]
        if changed:
            raise self._unfit(before, f"another {' and another '.join(changed)}")
        if self._size() < before.size:
            raise self._unfit(before, "fewer bytes than it wrote")
        columns = self._pass_by(rows, before.rows)
        if self._digest.value() != before.digest:
            raise self._unfit(before, "other rows in the input")
        self._write = writer(self.output, self._buffer, self._top_k, columns)
        self._begin(before)
        terminal.note(f"goes on after {terminal.counted(before.rows)} that an earlier call wrote")
        return rows

    def _pass_by(self, rows: Iterator[WholeRow], count: int) -> Optional[list[str]]:
        """Reads the rows that are written, and returns the columns of the first one."""
        columns: Optional[list[str]] = None
        task = "finding where to go on"
        for number, product in enumerate(itertools.islice(rows, count)):
            columns = product.columns if columns is None else columns
            self._digest.add(product)
            if number % _FOUND_EVERY == 0:
                progress.report(task, number, count)
        progress.report(task, count, count)
        return columns

    def _unfit(self, before: Entry, received: str) -> InputError:
        part = terminal.nearby(_path(self.output))
        return InputError(
            f"An unfinished output can only be gone on with by the same call. {part} holds "
            f"{terminal.counted(before.rows)}; received {received}. Repeat the call that began it, "
            "or throw these rows away with --from-start."
        )

    def _size(self) -> int:
        return os.fstat(self._stream.fileno()).st_size

    def _begin(self, entry: Entry) -> None:
        with refusing_unwritable(self.output):
            self._stream.truncate(entry.size)
            self._stream.seek(entry.size)
            self._journal.write(entry)
        self.done = entry

    def add(self, answered: Sequence[tuple[WholeRow, Ranked, int]]) -> None:
        """Writes rows, all of them or none.

        Args:
          answered: rows with their categories and the version of the model that answered.

        Raises:
          InputError: a row does not fit into the output's format.
          OutputError: the part cannot be written.
        """
        assert self.done is not None, "unwritten() comes first"
        versions = Counter(self.done.versions)
        blank = self.done.blank
        self._buffer.seek(0)
        self._buffer.truncate()
        for product, ranked, version in answered:
            self._write(product, ranked)
            self._digest.add(product)
            versions[version] += 1
            blank += not any(map(str.strip, product.row.fields))
        content = self._buffer.getvalue().encode("utf-8", "prodcls.replace")
        with refusing_unwritable(self.output):
            left = memoryview(content)
            while left:
                left = left[self._stream.write(left) or 0 :]
        self.done = Entry(
            options=self._options,
            rows=self.done.rows + len(answered),
            size=self.done.size + len(content),
            digest=self._digest.value(),
            blank=blank,
            versions=versions,
        )
        if time.monotonic() - self._kept > _KEPT_EVERY:
            self.keep()

    def keep(self) -> None:
        """Makes all rows that were added safe.

        Raises:
          OutputError: the disk does not take them.
        """
        if self.done is None:
            return
        with refusing_unwritable(self.output):
            os.fsync(self._stream.fileno())
            self._journal.write(self.done)
        self._kept = time.monotonic()

    def finish(self) -> None:
        """Gives the file its name.

        Raises:
          OutputError: it cannot be written.
        """
        self.keep()
        with refusing_unwritable(self.output):
            _path(self.output).replace(self.output)
            sync_folder(self.output.absolute().parent)
        self._journal.remove()

    def stop(self) -> None:
        """Keeps what is there for the next call; nothing, if no row is."""
        with contextlib.suppress(OutputError):
            self.keep()
        kept = self._journal.read()
        if kept is None or not kept.rows:
            _path(self.output).unlink(missing_ok=True)
            self._journal.remove()
        elif self.done is not None:
            terminal.note(
                f"{terminal.counted(kept.rows)} kept in {terminal.nearby(_path(self.output))}; "
                "the same command goes on from there"
            )


@contextlib.contextmanager
def resuming(
    output: Path, top_k: int, options: Mapping[str, str], *, fresh: bool = False
) -> Iterator[Part]:
    """Opens an output file, which appears under its name only when all of it is written.

    Args:
      output: one that `check_output` let through; CSV if it ends in `.csv`, else JSON lines.
      top_k: categories in an answer.
      options: what else the output depends on, by name.
      fresh: whether an earlier call's rows are thrown away.

    Yields:
      What takes the rows; they stay for the next call if the block is left by an error.

    Raises:
      OutputError: the file cannot be written, or another process is writing it.
    """
    with locked(_path(output), output) as stream:
        part = Part(output, stream, top_k, options, fresh)
        try:
            yield part
            part.finish()
        except BaseException:
            part.stop()
            raise


class _Digest:
    """Of rows, in their order: all their cells, and the columns where they change."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._columns: list[str] = []

    def add(self, product: WholeRow) -> None:
        if product.columns != self._columns:
            self._columns = product.columns
            self._hash.update(repr(product.columns).encode("utf-8", "surrogatepass"))
        self._hash.update(repr(tuple(product.cells)).encode("utf-8", "surrogatepass"))

    def value(self) -> str:
        return self._hash.hexdigest()


def _path(output: Path) -> Path:
    return output.with_name(f"{output.name}.part")


def _journal(output: Path) -> Journal:
    return Journal(output.with_name(f"{output.name}.journal"))
