"""Writes products with their categories: CSV or JSON lines, whole or not at all."""

from __future__ import annotations

import codecs
import contextlib
import csv
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Optional, Protocol

from prodcls_tf.cli.outputs import refusing_unwritable
from prodcls_tf.cli.whole_rows import WholeRow
from prodcls_tf.errors import InputError


def _replaced(error: UnicodeError) -> tuple[bytes, int]:
    """Stands in for what UTF-8 cannot hold, as the library's readers do."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "\ufffd".encode() * (error.end - error.start), error.end


codecs.register_error("prodcls.replace", _replaced)


Ranked = Sequence[tuple[str, float]]


class Writer(Protocol):
    """Takes one product with its answer."""

    def __call__(self, product: WholeRow, answer: Ranked) -> None:
        """Writes it."""


@contextlib.contextmanager
def writing(path: Path, top_k: int) -> Iterator[Writer]:
    """Opens an output file, which appears under its name only when all of it is written.

    Half of a surrogate pair, as cut-off emoji leave it, becomes U+FFFD.

    Args:
      path: one that `check_output` let through; CSV if it ends in `.csv`, else JSON lines.
      top_k: number of categories in an answer.

    Yields:
      The writer.

    Raises:
      OutputError: the file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    with refusing_unwritable(path):
        try:
            with unfinished.open(
                "w", encoding="utf-8", errors="prodcls.replace", newline=""
            ) as stream:
                yield writer(path, stream, top_k)
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def writer(path: Path, stream: IO[str], top_k: int, columns: Optional[list[str]] = None) -> Writer:
    """Returns what writes products in the format that a file's ending asks for.

    Args:
      path: the file; CSV if it ends in `.csv`, else JSON lines.
      stream: what it writes to.
      top_k: number of categories in an answer.
      columns: the columns of the first product, where it has been written before, and a CSV
        file's header with it.
    """
    return _csv(stream, top_k, columns) if path.suffix.lower() == ".csv" else _json(stream)


def _json(stream: IO[str]) -> Writer:
    def write(product: WholeRow, answer: Ranked) -> None:
        categories = [{"category": path, "score": round(score, 6)} for path, score in answer]
        _refuse_taken(product, ["categories"])
        _refuse_doubled(product)
        values = dict(zip(product.columns, product.cells, strict=True))
        record = {**values, "categories": categories}
        stream.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")

    return write


def _csv(stream: IO[str], top_k: int, columns: Optional[list[str]]) -> Writer:
    added = [name for k in range(1, top_k + 1) for name in (f"category_{k}", f"score_{k}")]
    lines = csv.writer(stream)

    def write(product: WholeRow, answer: Ranked) -> None:
        nonlocal columns
        if columns is None:
            columns = product.columns
            _refuse_taken(product, added)
            lines.writerow([*columns, *added])
        same = product.columns == columns
        carried = product.cells if same else _in_order(product, columns)
        cells = [cell for path, score in answer for cell in (path, f"{score:.6f}")]
        # A server may swap to a version that gives fewer.
        cells += [""] * (len(added) - len(cells))
        lines.writerow([*map(_cell, carried), *cells])

    return write


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _refuse_taken(product: WholeRow, added: list[str]) -> None:
    taken = [name for name in added if name in product.columns]
    if taken:
        raise InputError(
            f"{product.row.file}: The columns of the answer must be new. Received a file that "
            f"has {', '.join(taken)} already. Rename or drop them first."
        )


def _refuse_doubled(product: WholeRow) -> None:
    doubled = [name for name, count in Counter(product.columns).items() if count > 1]
    if doubled:
        raise InputError(
            f"{product.row.file}: Columns in JSON lines must have a name of their own. Received "
            f"several named {', '.join(map(repr, doubled))}. Write CSV instead: "
            "--output answers.csv"
        )


def _in_order(product: WholeRow, columns: Sequence[str]) -> list[Any]:
    """The cells of a row by the columns of the first row, which its own are not the same as."""
    values = dict(zip(_told_apart(product.columns), product.cells, strict=True))
    places = _told_apart(columns)
    new = [name for name, number in values if (name, number) not in places]
    if new:
        raise InputError(
            f"{product.row.place}: Rows of a CSV output must have the columns of the first row. "
            f"Received {', '.join(map(repr, new))} besides. Write JSON lines instead: "
            "--output answers.jsonl"
        )
    return [values.get(place) for place in places]


def _told_apart(columns: Sequence[str]) -> list[tuple[str, int]]:
    """Columns of one name get a number each, in their order."""
    seen: Counter[str] = Counter()
    places = []
    for name in columns:
        places.append((name, seen[name]))
        seen[name] += 1
    return places
