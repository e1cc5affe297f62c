"""The rows of a search, on disk: the same for every trial, each of which is a process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from prodcls_tf.data.table import Rows, labelled_columns
from prodcls_tf.settings import Settings

_TRAIN, _VAL = "train.parquet", "val.parquet"


@dataclass(frozen=True)
class SearchRows:
    """The rows that all trials learn from and are measured on.

    Attributes:
      train: labelled rows to learn from.
      val: labelled rows to measure.
    """

    train: pd.DataFrame
    val: pd.DataFrame

    @classmethod
    def choose(cls, settings: Settings, train: Rows, val: Rows) -> SearchRows:
        """Takes the columns that count, and no more rows than a trial may have.

        Args:
          settings: say which columns and how many rows.
          train: labelled rows to learn from.
          val: labelled rows to measure; those of a category that no row is left of are left out.

        Returns:
          The rows.

        Raises:
          InputError: a column is missing, or a row has no category.
        """
        learned, measured = _table(settings, train), _table(settings, val)
        if 0 < settings.tuning.rows < len(learned):
            chosen = np.random.default_rng(settings.tuning.seed).permutation(len(learned))
            learned = learned.iloc[np.sort(chosen[: settings.tuning.rows])]
            known = set(learned[settings.data.label])
            measured = measured[measured[settings.data.label].isin(known)]
        return cls(learned, measured)

    @classmethod
    def read(cls, folder: Path) -> SearchRows:
        """Returns the rows that `write` left in a folder."""
        return cls(pd.read_parquet(folder / _TRAIN), pd.read_parquet(folder / _VAL))

    def write(self, folder: Path) -> None:
        """Writes the rows to a folder, which is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.train.to_parquet(folder / _TRAIN, index=False)
        self.val.to_parquet(folder / _VAL, index=False)

    def digest(self) -> str:
        """Returns a digest of all rows."""
        digest = hashlib.sha256()
        for table in (self.train, self.val):
            for column in table:
                digest.update("\0".join([str(column), *table[column], ""]).encode("utf-8"))
        return digest.hexdigest()


def _table(settings: Settings, rows: Rows) -> pd.DataFrame:
    texts, paths = labelled_columns(rows, settings.data)
    columns = dict(zip(settings.data.text, texts.values(), strict=True))
    return pd.DataFrame({**columns, settings.data.label: paths})
