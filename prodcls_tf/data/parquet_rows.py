"""Parquet: row groups one after the other, columns as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prodcls_tf.data.columns import check_columns
from prodcls_tf.data.files import Stretch, refusing_unreadable
from prodcls_tf.errors import InputError

_BATCH = 4_096

# Bytes of a column that are read at a time. Unbuffered, pyarrow holds a row group's columns whole,
# and a row group can be all of a file.
BUFFER = 1 << 20


def parquet_rows(
    path: Path, wanted: Mapping[str, str], stretch: Stretch | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Reads the wanted columns of a Parquet file, batch by batch.

    Numbers, dates and dictionaries become text; null and NaN become empty. Memory grows neither
    with the file nor with its row groups.

    Args:
      path: the file.
      wanted: names of the columns to read, with the option that names each one.
      stretch: the row groups to read, None for all.

    Yields:
      The row's number, counted from 1, and the wanted values.

    Raises:
      InputError: the file cannot be read, lacks a column, or a column is nested.
    """
    import pyarrow
    import pyarrow.parquet

    start, stop, first = stretch or (0, None, 1)
    number = first - 1
    with refusing_unreadable(path):
        try:
            with pyarrow.parquet.ParquetFile(path, buffer_size=BUFFER) as file:
                _check_columns(file, wanted, path)
                groups = range(start, file.num_row_groups if stop is None else stop)
                for batch in file.iter_batches(_BATCH, list(groups), list(wanted)):
                    columns = [_texts(path, number, batch, column) for column in wanted]
                    for values in zip(*columns, strict=True):
                        number += 1
                        yield number, list(values)
        except pyarrow.ArrowException as error:
            raise _broken(path, number, error) from None


def group_sizes(path: Path, wanted: Mapping[str, str]) -> list[int]:
    """Returns the number of rows in each row group of a file that has the wanted columns.

    Raises:
      InputError: as `parquet_rows`.
    """
    import pyarrow
    import pyarrow.parquet

    with refusing_unreadable(path):
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                _check_columns(file, wanted, path)
                groups = range(file.num_row_groups)
                return [file.metadata.row_group(group).num_rows for group in groups]
        except pyarrow.ArrowException as error:
            raise _broken(path, 0, error) from None


def _broken(path: Path, number: int, error: Exception) -> InputError:
    return InputError(
        f"{path}: A Parquet file must be whole and readable. Received after row "
        f"{number}: {error}. Write or copy the file again."
    )


def _check_columns(file: Any, wanted: Mapping[str, str], path: Path) -> None:
    schema = file.schema_arrow
    check_columns(list(schema.names), wanted, path)
    for column in wanted:
        _check_flat(path, column, schema.field(column).type)


def _check_flat(path: Path, column: str, kind: Any) -> None:
    import pyarrow

    if pyarrow.types.is_nested(kind):
        raise InputError(
            f"{path}: A column must hold one value a row. Received {column!r} of type {kind}. "
            "Flatten it before, for instance by joining its values."
        )


def _texts(path: Path, before: int, batch: Any, column: str) -> list[str]:
    """One column of a batch as text."""
    import pyarrow

    values = batch.column(batch.schema.get_field_index(column))
    kind = values.type
    if pyarrow.types.is_floating(kind):
        return [
            "" if value is None or value != value else str(value) for value in values.to_pylist()
        ]
    try:
        values = values.cast(pyarrow.string())
    except pyarrow.ArrowNotImplementedError:
        return ["" if value is None else str(value) for value in values.to_pylist()]
    except pyarrow.ArrowInvalid as error:
        raise InputError(
            f"{path}: The column {column!r} must hold text in UTF-8. Received in rows "
            f"{before + 1} to {before + len(values)}: {error}. Write it again as a string column."
        ) from None
    try:
        return [value or "" for value in values.to_pylist()]
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: The column {column!r} must hold text in UTF-8. Received in rows "
            f"{before + 1} to {before + len(values)}: {error}. Write it again as a string column."
        ) from None
