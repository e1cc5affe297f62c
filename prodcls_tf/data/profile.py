"""What rows are like, in a few figures: enough to tell whether later ones are like them.

All figures are counts of rows, so that profiles of parts add up and every difference between two
profiles is one of shares. A text's script is that of most of its letters, by Unicode's script
property: no model of languages, but it tells Chinese from English, and costs next to nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, Field

# Lengths are counted up to these bounds, four to a doubling; a longer text counts as the last.
LENGTHS = sorted({round(2 ** (step / 4)) for step in range(61)})

# Letters of any other script are `Other`.
SCRIPTS = (
    *("Latin", "Han", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Bengali"),
    *("Tamil", "Telugu", "Thai", "Hangul", "Hiragana", "Katakana", "Armenian", "Georgian"),
)
OTHER = "Other"
NO_LETTERS = "no letters"

_NUMBER = r"^[+-]?[0-9][0-9.,]*$"

_Key = TypeVar("_Key", int, str)


class FieldProfile(BaseModel):
    """What a text column is like. All but `empty` is counted over texts that are not empty.

    Attributes:
      empty: rows without a visible character.
      numbers: texts that are a bare number.
      lengths: texts by their number of characters, rounded up to one of `LENGTHS`.
      scripts: texts by their script: one of `SCRIPTS`, `OTHER` or `NO_LETTERS`.
    """

    empty: int = 0
    numbers: int = 0
    lengths: dict[int, int] = Field(default_factory=dict)
    scripts: dict[str, int] = Field(default_factory=dict)

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
        # Most texts are ASCII: one look will do for them.
        ascii_ = pc.equal(pc.binary_length(filled), lengths)
        plain, others = filled.filter(ascii_), filled.filter(pc.invert(ascii_))
        latin = _sum(pc.match_substring_regex(plain, pattern="[A-Za-z]"))
        _count(self.scripts, "Latin", latin)
        _count(self.scripts, NO_LETTERS, len(plain) - latin)
        for script, count in _scripts(others).items():
            _count(self.scripts, script, count)


class Profile(BaseModel):
    """What the rows of a split are like.

    Attributes:
      rows: how many there are.
      categories: rows by category path.
      fields: by text column.

    Example:
      >>> profile = Profile()
      >>> profile.add({"title": ["usb cable", "手机壳", ""]}, ["A", "B", "A"])
      >>> profile.categories, profile.fields["title"].scripts, profile.fields["title"].empty
      ({'A': 2, 'B': 1}, {'Latin': 1, 'Han': 1}, 1)
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


def _scripts(texts: Any) -> dict[str, int]:
    """Counts texts by the script of most of their letters; at a tie, the first of `SCRIPTS`."""
    import numpy as np
    import pyarrow.compute as pc

    if not len(texts):
        return {}
    letters = pc.count_substring_regex(texts, pattern=r"\p{L}").to_numpy()
    known = [
        pc.count_substring_regex(texts, pattern=rf"\p{{{script}}}").to_numpy() for script in SCRIPTS
    ]
    # A script's marks are no letters: what is left over may be less than nothing.
    others = (letters - sum(known)).clip(min=0)
    table = np.stack([*known, others])
    best = np.where(letters > 0, table.argmax(axis=0), len(table))
    names = [*SCRIPTS, OTHER, NO_LETTERS]
    return {names[place]: count for place, count in enumerate(np.bincount(best).tolist())}


def _sum(mask: Any) -> int:
    import pyarrow.compute as pc

    return pc.sum(mask).as_py() or 0


def _count(counts: dict[_Key, int], key: _Key, more: int) -> None:
    if more:
        counts[key] = counts.get(key, 0) + more
