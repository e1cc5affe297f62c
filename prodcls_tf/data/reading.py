"""Product files become rows, one by one: CSV, JSON lines and Parquet behind one door."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from prodcls_tf.data.csv_rows import CsvStyle, csv_rows
from prodcls_tf.data.detecting import AUTO
from prodcls_tf.data.files import SUPPORTED, Stretch, kind_of
from prodcls_tf.data.json_rows import json_rows
from prodcls_tf.data.notes import FileNotes
from prodcls_tf.data.parquet_rows import parquet_rows
from prodcls_tf.errors import InputError
from prodcls_tf.settings import DataSettings


class Row(NamedTuple):
    """One product as its file has it.

    Attributes:
      fields: the text columns' values in the order of `data.text`; '' where there is none.
      category: the label column's value, '' where there is none or where it was not read.
      file: the file's path.
      line: the physical line at which the record starts, in Parquet the row's number; from 1.
      group: the value of the column `data.group`; '' where there is none.
      slice: the value of the column `data.slice_by`; '' where there is none.
    """

    fields: tuple[str, ...]
    category: str
    file: str
    line: int
    group: str = ""
    slice: str = ""

    @property
    def place(self) -> str:
        """Where the row stands, as messages name it: `file:line`."""
        return f"{self.file}:{self.line}"


def read_rows(
    files: Iterable[Path], settings: DataSettings, labelled: bool = True
) -> Iterator[Row]:
    """Streams the rows of product files, in the order of the files and of their lines.

    Values are as the file has them, blanks and all; `category.clean_category` makes a label
    comparable. Memory does not grow with the files.

    Args:
      files: product files, as `find_files` returns them.
      settings: which columns hold the texts and the label, and how files are written.
      labelled: whether the label column is read; where not, it need not exist.

    Yields:
      One `Row` a record.

    Raises:
      InputError: a file cannot be read as it is (the message names file and line), or no file
        has a single row.

    Example:
      >>> rows = read_rows(find_files(["products.csv"]), DataSettings())  # doctest: +SKIP
      >>> next(rows).fields  # doctest: +SKIP
      ('Laptop 13" silver',)
    """
    paths = list(files)
    empty = True
    for path in paths:
        for row in read_file(path, settings, labelled):
            empty = False
            yield row
    if empty:
        raise no_rows(paths)


def read_file(
    path: Path,
    settings: DataSettings,
    labelled: bool = True,
    notes: FileNotes | None = None,
    stretch: Stretch | None = None,
) -> Iterator[Row]:
    """Streams the rows of one product file.

    As `read_rows`, but a file without rows is fine.

    Args:
      path: the file.
      settings: as in `read_rows`.
      labelled: whether the label and the columns of groups and slices are read.
      notes: told of how the file is written; where they are tolerant, of the rows that cannot be
        read, too, which are an error otherwise.
      stretch: what to read of the file, as `cutting` finds it; None for all.
    """
    wanted = wanted_columns(settings, labelled)
    kind = kind_of(path)
    if kind in ("csv", "tsv"):
        records = csv_rows(path, wanted, csv_style(settings, kind), notes, stretch)
    elif kind == "json":
        records = json_rows(path, wanted, settings.encoding, notes, stretch)
    elif kind == "parquet":
        records = parquet_rows(path, wanted, stretch)
    else:
        raise InputError(
            f"A product file must be one of {SUPPORTED}. Received: {path}. "
            "Export the table as CSV in UTF-8, for instance."
        )
    file, width, columns = str(path), len(settings.text), list(wanted)
    label = columns.index(settings.label) if labelled else -1
    group = columns.index(settings.group) if labelled and settings.group else -1
    part = columns.index(settings.slice_by) if labelled and settings.slice_by else -1
    for line, values in records:
        yield Row(
            tuple(values[:width]),
            values[label] if label >= 0 else "",
            file,
            line,
            values[group] if group >= 0 else "",
            values[part] if part >= 0 else "",
        )


def wanted_columns(settings: DataSettings, labelled: bool) -> dict[str, str]:
    """The columns that are read, the text columns first, with the option that names each one."""
    wanted = dict.fromkeys(settings.text, "--text")
    if labelled:
        wanted[settings.label] = "--label"
        if settings.group:
            wanted.setdefault(settings.group, "--set data.group=")
        if settings.slice_by:
            wanted.setdefault(settings.slice_by, "--set data.slice_by=")
    return wanted


def csv_style(settings: DataSettings, kind: str) -> CsvStyle:
    """How a `csv` or `tsv` file is written, as far as the settings say it."""
    tabs = kind == "tsv" and settings.delimiter == AUTO
    return CsvStyle(settings.encoding, "\t" if tabs else settings.delimiter)


def no_rows(paths: list[Path]) -> InputError:
    """The error for files that hold no row at all."""
    names = ", ".join(str(path) for path in paths[:5]) or "no file"
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return InputError(
        f"Product files must hold at least one row. Received {names}{more}, with none beside the "
        "header. Check the export."
    )
