"""The rows of a search, on disk: the same for every trial, each of which is a process."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from prodcls_tf.data.table import Rows, labelled_columns
from prodcls_tf.settings import Settings

TRAIN, VAL = "train.parquet", "val.parquet"


def write_rows(folder: Path, settings: Settings, train: Rows, val: Rows) -> str:
    """Writes the rows that all trials learn from and are measured on.

    Args:
      folder: made if missing.
      settings: say which columns count, and how many rows a trial may have.
      train: labelled rows to learn from.
      val: labelled rows to measure.

    Returns:
      A digest of the rows.

    Raises:
      InputError: a column is missing, or a row has no category.
    """
    folder.mkdir(parents=True, exist_ok=True)
    learned, measured = _table(settings, train), _table(settings, val)
    if 0 < settings.tuning.rows < len(learned):
        chosen = np.random.default_rng(settings.tuning.seed).permutation(len(learned))
        learned = learned.iloc[np.sort(chosen[: settings.tuning.rows])]
        known = set(learned[settings.data.label])
        measured = measured[measured[settings.data.label].isin(known)]
    digest = hashlib.sha256()
    for name, table in ((TRAIN, learned), (VAL, measured)):
        table.to_parquet(folder / name, index=False)
        for column in table:
            digest.update("\0".join([str(column), *table[column]]).encode("utf-8"))
    return digest.hexdigest()


def read_rows(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the rows to learn from and to measure, as `write_rows` left them."""
    return pd.read_parquet(folder / TRAIN), pd.read_parquet(folder / VAL)


def _table(settings: Settings, rows: Rows) -> pd.DataFrame:
    texts, paths = labelled_columns(rows, settings.data)
    columns = dict(zip(settings.data.text, texts.values(), strict=True))
    return pd.DataFrame({**columns, settings.data.label: paths})
