"""What rows are like, in a few figures: enough to tell whether later ones are like them.

All figures are counts of rows, so that profiles of parts add up and every difference between two
profiles is one of shares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import AliasChoices, BaseModel, Field

from prodcls_tf.data.languages import languages_of

# Lengths are counted up to these bounds, four to a doubling; a longer text counts as the last.
LENGTHS = sorted({round(2 ** (step / 4)) for step in range(61)})

_NUMBER = r"^[+-]?[0-9][0-9.,]*$"

_Key = TypeVar("_Key", int, str)


class FieldProfile(BaseModel):
    """What a text column is like. All but `empty` is counted over texts that are not empty.

    Attributes:
      empty: rows without a visible character.
      numbers: texts that are a bare number.
      lengths: texts by their number of characters, rounded up to one of `LENGTHS`.
      languages: texts by their language, as `languages.py` names it.
    """

    empty: int = 0
    numbers: int = 0
    lengths: dict[int, int] = Field(default_factory=dict)
    # Rows accepted by an earlier version were counted by script alone. So they stop the next run,
    # which is then to be accepted, rather than go unmeasured.
    languages: dict[str, int] = Field(
        default_factory=dict, validation_alias=AliasChoices("languages", "scripts")
    )

    @property
    def filled(self) -> int:
        """Texts that are not empty."""
        return sum(self.lengths.values())

    def add(self, texts: Sequence[str]) -> None:
        """Counts more texts."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        trimmed = pc.utf8_trim_whitespace(pa.array(texts, pa.string()))
        filled = trimmed.filter(pc.not_equal(trimmed, ""))
        self.empty += len(trimmed) - len(filled)
        if not len(filled):
            return
        self.numbers += _sum(pc.match_substring_regex(filled, pattern=_NUMBER))
        lengths = pc.utf8_length(filled)
        places = np.searchsorted(LENGTHS, lengths.to_numpy()).clip(max=len(LENGTHS) - 1)
        for place, count in enumerate(np.bincount(places).tolist()):
            _count(self.lengths, LENGTHS[place], count)
        for language, count in Counter(languages_of(filled)).items():
            _count(self.languages, language, count)


class Profile(BaseModel):
    """What the rows of a split are like.

    Attributes:
      rows: how many there are.
      categories: rows by category path.
      fields: by text column.

    Example:
      >>> profile = Profile()
      >>> profile.add({"title": ["usb cable", "手机壳", ""]}, ["A", "B", "A"])
      >>> profile.categories, profile.fields["title"].languages, profile.fields["title"].empty
      ({'A': 2, 'B': 1}, {'unclear (Latin)': 1, 'zh': 1}, 1)
    """

    rows: int = 0
    categories: dict[str, int] = Field(default_factory=dict)
    fields: dict[str, FieldProfile] = Field(default_factory=dict)

    def add(self, texts: Mapping[str, Sequence[str]], categories: Sequence[str]) -> None:
        """Counts more rows.

        Args:
          texts: by column.
          categories: each row's category path.
        """
        self.rows += len(categories)
        for path, count in Counter(categories).items():
            _count(self.categories, path, count)
        for column, values in texts.items():
            self.fields.setdefault(column, FieldProfile()).add(values)


class LeftOut(BaseModel):
    """Rows that no split has, because intake left them out.

    Attributes:
      rows: all rows that were read.
      no_text: those among them in which no text column has anything visible.
      no_label: those without a category.
    """

    rows: int = 0
    no_text: int = 0
    no_label: int = 0


def _sum(mask: Any) -> int:
    import pyarrow.compute as pc

    return pc.sum(mask).as_py() or 0


def _count(counts: dict[_Key, int], key: _Key, more: int) -> None:
    if more:
        counts[key] = counts.get(key, 0) + more
