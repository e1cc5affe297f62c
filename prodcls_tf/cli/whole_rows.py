"""Product files with all their columns: what `prodcls classify` carries over to its output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union

from prodcls_tf.data.cleaning import clean_fields
from prodcls_tf.data.csv_rows import csv_records
from prodcls_tf.data.files import is_packed, kind_of, refusing_unreadable
from prodcls_tf.data.parquet_rows import BUFFER
from prodcls_tf.data.reading import Row, csv_style, read_file, wanted_columns
from prodcls_tf.data.text_lines import text_lines
from prodcls_tf.errors import InputError
from prodcls_tf.settings import DataSettings

# Bytes of a file that an estimate is made from.
_SAMPLE = 1 << 20

_Record = tuple[list[str], Sequence[Any]]


class WholeRow(NamedTuple):
    """One product.

    Attributes:
      row: its text fields, cleaned as those that were learned from, and its place.
      columns: the names of all its columns; those that are no text fields may be called anything,
        twice or not at all.
      cells: the values of these columns, as they stand in the file.
    """

    row: Row
    columns: list[str]
    cells: Sequence[Any]


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
    kind = kind_of(path)
    if kind in ("csv", "tsv"):
        return _csv(path, settings, kind)
    return _in_step(path, settings, _parquet(path) if kind == "parquet" else _json(path, settings))


def _csv(path: Path, settings: DataSettings, kind: str) -> Iterator[WholeRow]:
    columns: list[str] = []
    places: list[int] = []
    wanted = wanted_columns(settings, labelled=False)
    for line, cells in csv_records(path, wanted, csv_style(settings, kind)):
        if columns:
            fields = clean_fields([cells[place] for place in places], settings.clean)
            yield WholeRow(Row(fields, "", str(path), line), columns, cells)
        else:
            columns, places = cells, [cells.index(name) for name in settings.text]


def _in_step(path: Path, settings: DataSettings, records: Iterator[_Record]) -> Iterator[WholeRow]:
    """Joins each row of the library's reader, which names the faults, with its whole record."""
    for row in read_file(path, settings, labelled=False):
        record = next(records, None)
        if record is None:
            raise InputError(
                f"{row.place}: A file must not change while it is read. Received a row that is "
                "there no more. Run again when the file is complete."
            )
        yield WholeRow(row._replace(fields=clean_fields(row.fields, settings.clean)), *record)


def _json(path: Path, settings: DataSettings) -> Iterator[_Record]:
    for line in text_lines(path, settings.encoding):
        if line.strip():
            record = json.loads(line, parse_int=_whole_number)
            yield list(record), list(record.values())


def _whole_number(digits: str) -> Union[int, str]:
    try:
        return int(digits)
    except ValueError:
        # Python makes no number of more than 4,300 digits.
        return digits


def _parquet(path: Path) -> Iterator[_Record]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path, buffer_size=BUFFER) as file:
            columns = list(file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=1_024):
                for cells in zip(*map(_values, batch.columns), strict=True):
                    yield columns, cells
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        raise InputError(
            f"{path}: All columns are carried over, so that all must be readable. Received: "
            f"{error}. Write the file again without the columns that are broken."
        ) from None


def _values(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def rows_about(path: Path) -> int:
    """Estimates how many rows a product file has, from its first bytes; 0 where that is no help.

    Raises:
      InputError: the file cannot be read.
    """
    if kind_of(path) == "parquet":
        return _parquet_rows(path)
    with refusing_unreadable(path):
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(_SAMPLE)
    if is_packed(path) or not head:
        return 0
    return head.count(b"\n") * size // len(head)


def _parquet_rows(path: Path) -> int:
    import pyarrow
    import pyarrow.parquet

    try:
        return int(pyarrow.parquet.read_metadata(path).num_rows)
    except (pyarrow.ArrowException, OSError):
        # What is wrong with it is said when its rows are read.
        return 0
