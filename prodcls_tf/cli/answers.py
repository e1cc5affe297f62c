"""Writes products with their categories: CSV or JSON lines, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from prodcls_tf.cli.whole_rows import WholeRow
from prodcls_tf.errors import InputError, OutputError

ENDINGS = (".csv", ".jsonl", ".ndjson")


class Writer(Protocol):
    """Takes one product with its answer."""

    def __call__(self, product: WholeRow, answer: list[tuple[str, float]]) -> None:
        """Writes it."""


@contextlib.contextmanager
def writing(path: Path, top_k: int) -> Iterator[Writer]:
    """Opens an output file, which appears under its name only when all of it is written.

    Args:
      path: ends in `.csv`, or in `.jsonl` or `.ndjson` for JSON lines.
      top_k: number of categories in an answer.

    Yields:
      The writer.

    Raises:
      OutputError: the file cannot be written, or has another ending.
    """
    if path.suffix.lower() not in ENDINGS:
        raise OutputError(
            f"An output file must end in one of {', '.join(ENDINGS)}. Received {path}. "
            "Name it, for instance, answers.csv."
        )
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as stream:
            yield _csv(stream, top_k) if path.suffix.lower() == ".csv" else _json(stream)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(
            f"The output file must be one that can be written. Received {path}: "
            f"{error.strerror or error}. Check the folder, its permissions and the free space."
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)


def _json(stream: IO[str]) -> Writer:
    def write(product: WholeRow, answer: list[tuple[str, float]]) -> None:
        categories = [{"category": path, "score": round(score, 6)} for path, score in answer]
        _refuse_taken(product, ["categories"])
        record = {**product.values, "categories": categories}
        stream.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")

    return write


def _csv(stream: IO[str], top_k: int) -> Writer:
    added = [name for k in range(1, top_k + 1) for name in (f"category_{k}", f"score_{k}")]
    writer = csv.writer(stream)
    columns: list[str] = []

    def write(product: WholeRow, answer: list[tuple[str, float]]) -> None:
        if not columns:
            columns.extend(product.values)
            _refuse_taken(product, added)
            writer.writerow([*columns, *added])
        _refuse_new(product, columns)
        cells = [cell for path, score in answer for cell in (path, f"{score:.6f}")]
        writer.writerow([*(_cell(product.values.get(name)) for name in columns), *cells])

    return write


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _refuse_taken(product: WholeRow, added: list[str]) -> None:
    taken = [name for name in added if name in product.values]
    if taken:
        raise InputError(
            f"{product.row.file}: The columns of the answer must be new. Received a file that "
            f"has {', '.join(taken)} already. Rename or drop them first."
        )


def _refuse_new(product: WholeRow, columns: list[str]) -> None:
    new = [name for name in product.values if name not in columns]
    if new:
        raise InputError(
            f"{product.row.place}: Rows of a CSV output must have the columns of the first row. "
            f"Received {', '.join(map(repr, new))} besides. Write JSON lines instead: "
            "--output answers.jsonl"
        )
