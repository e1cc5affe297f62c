"""A row as the file has it becomes a row as the splits have it, with what decides its fate."""

from __future__ import annotations

from typing import NamedTuple

from prodcls_tf.data.category import clean_category
from prodcls_tf.data.cleaning import clean_fields
from prodcls_tf.data.folding import JOINT, fold_row
from prodcls_tf.data.near import near_key, word_key
from prodcls_tf.data.reading import Row
from prodcls_tf.settings import DataSettings


class Prepared(NamedTuple):
    """A row, ready to be judged.

    Attributes:
      row: with its texts cleaned and its category made comparable.
      folded: its folded text.
      same: rows with the same one are one product told twice.
      key: rows with the same one go to the same split.
      cleaned: whether the cleaning took out more than blanks.
      gaps: whether the category path had empty levels.
    """

    row: Row
    folded: str
    same: str
    key: str
    cleaned: bool
    gaps: bool


def prepare(row: Row, settings: DataSettings) -> Prepared:
    """Prepares one row as the settings say."""
    ready, gaps = as_written(row, settings)
    fields = ready.fields
    cleaned = fields != row.fields and any(
        new != " ".join(old.split()) for new, old in zip(fields, row.fields, strict=True)
    )
    folded = fold_row(fields)
    near = settings.near_duplicates
    key = folded if near == "off" else near_key(folded)
    if group := row.group.strip():
        # No folded text begins so: a group is never taken for a text.
        key = JOINT * (len(fields) + 1) + group
    return Prepared(
        row=ready,
        folded=folded,
        same=word_key(folded) if near == "drop" else folded,
        key=key,
        cleaned=cleaned,
        gaps=gaps,
    )


def as_written(row: Row, settings: DataSettings) -> tuple[Row, bool]:
    """Returns a row as the splits have it, and whether its category path had empty levels."""
    category, gaps = clean_category(row.category, settings.separator)
    fields = clean_fields(row.fields, settings.clean)
    return row._replace(fields=fields, category=category), gaps
