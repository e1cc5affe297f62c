"""Columns of plain Python or pandas data, checked: what the library is given without a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np

from prodcls_tf.data.category import clean_category
from prodcls_tf.data.digests import digest_of, key_of
from prodcls_tf.data.folding import fold_row
from prodcls_tf.data.placements import NOWHERE
from prodcls_tf.data.shares import Shares
from prodcls_tf.errors import InputError
from prodcls_tf.features import SPLITS
from prodcls_tf.settings import DataSettings

# A DataFrame, a dict of columns, or a list of titles.
Rows = Union[Mapping[str, Sequence[Any]], Sequence[str], Any]


def text_columns(rows: Rows, settings: DataSettings) -> dict[str, list[str]]:
    """Takes the text columns out of rows.

    Args:
      rows: a DataFrame or a dict of columns, by the names in `settings.text`; or, where there is
        one text column, a list of texts.
      settings: column names.

    Returns:
      The texts by field name (`settings.fields`); None and NaN are ''.

    Raises:
      InputError: a column is missing, or columns differ in length.

    Example:
      >>> text_columns(["usb cable"], DataSettings())
      {'title': ['usb cable']}
    """
    if isinstance(rows, str):
        raise InputError(
            f"Rows are a list of texts or named columns. Received one text: {rows[:40]!r}. "
            "Put it into a list."
        )
    if isinstance(rows, (list, tuple)):
        if len(settings.text) > 1:
            raise InputError(
                f"This classifier reads the columns {settings.text}. Received a plain list. "
                f"Pass a dict or a DataFrame with these columns."
            )
        rows = {settings.text[0]: rows}
    columns = {
        field: [_text(value) for value in _column(rows, name)]
        for field, name in zip(settings.fields, settings.text, strict=True)
    }
    if len({len(column) for column in columns.values()}) > 1:
        lengths = {name: len(column) for name, column in columns.items()}
        raise InputError(f"Columns must have one length. Received {lengths}.")
    return columns


def labelled_columns(rows: Rows, settings: DataSettings) -> tuple[dict[str, list[str]], list[str]]:
    """Takes the text columns and the category column out of rows.

    Args:
      rows: a DataFrame or a dict of columns.
      settings: column names and separator.

    Returns:
      The texts by field name, and the category paths, their levels trimmed.

    Raises:
      InputError: a column is missing, columns differ in length, or a row has no category.
    """
    texts = text_columns(rows, settings)
    paths = [
        clean_category(_text(value), settings.separator)[0]
        for value in _column(rows, settings.label)
    ]
    empty = [number for number, path in enumerate(paths) if not path]
    if empty:
        raise InputError(
            f"Every row must have a category in {settings.label!r}. Received {len(empty)} rows "
            f"without, the first at index {empty[0]}. Label them or leave them out."
        )
    count = len(next(iter(texts.values())))
    if len(paths) != count:
        raise InputError(
            f"Every row must have a category. Received {count} rows and {len(paths)} categories."
        )
    return texts, paths


def val_rows(texts: Mapping[str, Sequence[str]], paths: Sequence[str], share: float) -> np.ndarray:
    """Chooses validation rows by their text, so that equal texts stay together.

    Args:
      texts: the text fields.
      paths: each row's category; one that would have no training row keeps all its rows there.
      share: of each category's texts.

    Returns:
      bool [rows], True for validation.
    """
    keys = [key_of(digest_of(fold_row(fields))) for fields in zip(*texts.values(), strict=True)]
    key, first, number = np.unique(np.array(keys, "u8"), return_index=True, return_inverse=True)
    names, category = np.unique(paths, return_inverse=True)
    shares, new = Shares(names.tolist(), share, 0.0), np.full(len(key), NOWHERE)
    shares.count(category[first], new)
    shares.begin()
    chosen = (shares.place(category[first], new) == SPLITS.index("val"))[number]
    trained = {path for path, val in zip(paths, chosen, strict=True) if not val}
    return chosen & np.array([path in trained for path in paths], bool)


def _column(rows: Any, name: str) -> Sequence[Any]:
    try:
        return list(rows[name])
    except (KeyError, TypeError, IndexError):
        there = list(getattr(rows, "columns", getattr(rows, "keys", list)()))
        raise InputError(
            f"Rows must have the column {name!r}. Received the columns {there}. Rename it, or set "
            "data.text and data.label."
        ) from None


def _text(value: Any) -> str:
    # NaN is the only value that differs from itself; pandas fills gaps with it.
    return "" if value is None or value != value else str(value)
