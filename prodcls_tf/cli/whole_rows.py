"""Product files with all their columns: what `prodcls classify` carries over to its output."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from prodcls_tf.data.csv_rows import csv_rows
from prodcls_tf.data.files import kind_of
from prodcls_tf.data.reading import Row, read_file
from prodcls_tf.data.text_lines import text_lines
from prodcls_tf.settings import DataSettings


class WholeRow(NamedTuple):
    """One product.

    Attributes:
      row: its text fields and its place, as the library reads them.
      values: all its columns, as they stand in the file.
    """

    row: Row
    values: dict[str, Any]


def whole_rows(path: Path, settings: DataSettings) -> Iterator[WholeRow]:
    """Streams a product file.

    Args:
      path: CSV, JSON lines or Parquet, as `find_files` returns it.
      settings: its text columns and its encoding.

    Yields:
      One `WholeRow` a record.

    Raises:
      InputError: the file cannot be read as it is; the message names file and line.
    """
    # Two readers of one file in step: the library's own, which checks and names the faults, and
    # one for the columns it does not know. Reading costs nothing beside asking a BERT.
    values: Iterator[dict[str, Any]] | None = None
    for row in read_file(path, settings, labelled=False):
        if values is None:
            values = _values(path, settings)
        yield WholeRow(row, next(values))


def _values(path: Path, settings: DataSettings) -> Iterator[dict[str, Any]]:
    kind = kind_of(path)
    if kind == "parquet":
        yield from _parquet_values(path)
    elif kind == "json":
        lines = (line for line in text_lines(path, settings.encoding) if not line.isspace())
        yield from map(json.loads, lines)
    else:
        names = _header(path, settings, kind or "csv")
        for _, cells in csv_rows(path, names, None, settings.encoding, kind or "csv"):
            yield dict(zip(names, cells, strict=True))


def _parquet_values(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1_024):
            yield from batch.to_pylist()


def _header(path: Path, settings: DataSettings, kind: str) -> list[str]:
    """The column names of a CSV file, cut at the delimiter that shows all text columns."""
    names: list[str] = []
    for delimiter in "\t" if kind == "tsv" else ",\t;":
        filled = (line for line in text_lines(path, settings.encoding) if line.strip())
        names = [name.strip() for name in next(csv.reader(filled, delimiter=delimiter))]
        if set(names).issuperset(settings.text):
            break
    return names
