"""Product files through a model server: streamed, several requests in flight, resumable."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from prodcls_tf import progress
from prodcls_tf.cli import terminal
from prodcls_tf.cli.classify import asked_columns, show_done
from prodcls_tf.cli.resuming import resuming
from prodcls_tf.cli.steps import Steps
from prodcls_tf.cli.whole_rows import rows_about, whole_rows
from prodcls_tf.data.reading import no_rows
from prodcls_tf.settings import DataSettings, Settings
from serving.client import Client
from serving.streaming import stream


@dataclass(frozen=True)
class FileQuestion:
    """What is asked about files.

    Attributes:
      files: the product files.
      output: takes their rows with categories.
      fields: the model's text fields.
      data: the columns that hold them, in the same order, and the encoding.
      width: categories in an answer.
    """

    files: list[Path]
    output: Path
    fields: list[str]
    data: DataSettings
    width: int

    @classmethod
    def of(
        cls,
        files: list[Path],
        output: Path,
        fields: list[str],
        text: Optional[Sequence[str]],
        encoding: str,
        width: int,
    ) -> FileQuestion:
        """Takes the columns to be called what the fields are, unless they are named.

        Raises:
          InputError: another number of columns is named than there are fields.
        """
        data = asked_columns(fields, Settings().data, text, encoding)
        return cls(files, output, fields, data, width)


def ask_files(
    client: Client, question: FileQuestion, *, in_flight: int, fresh: bool = False
) -> None:
    """Writes all rows of the files with their categories.

    Args:
      client: asks the server.
      question: which files, and what about them.
      in_flight: requests at once.
      fresh: whether the rows that an interrupted call wrote are thrown away.

    Raises:
      ProdclsError: a row cannot be read, the server does not answer, or the output cannot be
        written; what was written until then stays for the next call.
    """
    data, output, width = question.data, question.output, question.width
    rows = itertools.chain.from_iterable(whole_rows(file, data) for file in question.files)
    options = {
        "model": str(client.model),
        "number of categories": str(width),
        "choice of columns": repr(data.text),
        "format": output.suffix.lower(),
    }
    names = [file.name for file in question.files]
    task = f"asking about {names[0] if len(names) == 1 else terminal.counted(len(names), 'file')}"
    estimates = [rows_about(file) for file in question.files]
    about = sum(estimates) if all(estimates) else None
    with (
        Steps() as steps,
        progress.listening(steps),
        resuming(output, width, options, fresh=fresh) as part,
    ):
        left = part.unwritten(rows)
        assert part.done is not None
        before, started = part.done.rows, time.monotonic()
        _report(task, before, about)
        asked = stream(
            client, left, lambda product: product.row.fields, question.fields, in_flight=in_flight
        )
        with contextlib.closing(asked):
            for chunk in asked:
                part.add([(row, answer.ranked[:width], answer.version) for row, answer in chunk])
                _report(task, part.done.rows, about)
        if not part.done.rows:
            raise no_rows(question.files)
        progress.report(task, part.done.rows, part.done.rows, terminal.counted(part.done.rows))
    if len(part.done.versions) > 1:
        parts = (f"{v} ({terminal.counted(n)})" for v, n in sorted(part.done.versions.items()))
        terminal.note(f"several versions answered: {', '.join(parts)}")
    speed = (part.done.rows - before) / max(time.monotonic() - started, 1e-3)
    show_done(output, part.done.rows, part.done.blank, speed)


def _report(task: str, done: int, about: Optional[int]) -> None:
    if about is None:
        progress.report(task, done, detail="rows")
    else:
        # An estimate that was too low is no end.
        progress.report(task, done, max(about, done + 1), f"{done:,} rows")
