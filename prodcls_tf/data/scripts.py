"""Which script a text is written in: that of most of its letters, by Unicode's script property.

It costs next to nothing, is known of every text that has letters, and is never wrong.
"""

from __future__ import annotations

from typing import Any

# Letters of any other script are `Other`.
SCRIPTS = (
    *("Latin", "Han", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Bengali"),
    *("Tamil", "Telugu", "Thai", "Hangul", "Hiragana", "Katakana", "Armenian", "Georgian"),
)
OTHER = "Other"
NO_LETTERS = "no letters"

_NAMES = (*SCRIPTS, OTHER, NO_LETTERS)


def scripts_of(texts: Any) -> list[str]:
    """Says in which script each text is written; at a tie, it is the first of `SCRIPTS`.

    Args:
      texts: a pyarrow array of strings.

    Returns:
      For each one of `SCRIPTS`, `OTHER` or `NO_LETTERS`.

    Example:
      >>> import pyarrow as pa
      >>> scripts_of(pa.array(["手机壳 iPhone 15 保护套 防摔 透明", "13.3 / 5"]))
      ['Han', 'no letters']
    """
    import numpy as np
    import pyarrow.compute as pc

    # Most texts are ASCII: one look will do for them.
    latin = pc.match_substring_regex(texts, pattern="[A-Za-z]").to_numpy(zero_copy_only=False)
    best = np.where(latin, 0, len(_NAMES) - 1)
    others = pc.not_equal(pc.binary_length(texts), pc.utf8_length(texts))
    if pc.any(others).as_py():
        best[others.to_numpy(zero_copy_only=False)] = _numbers(texts.filter(others))
    return [_NAMES[number] for number in best.tolist()]


def _numbers(texts: Any) -> Any:
    """Places in `_NAMES`."""
    import numpy as np
    import pyarrow.compute as pc

    letters = pc.count_substring_regex(texts, pattern=r"\p{L}").to_numpy()
    known = [
        pc.count_substring_regex(texts, pattern=rf"\p{{{script}}}").to_numpy() for script in SCRIPTS
    ]
    # A script's marks are no letters: what is left over may be less than nothing.
    rest = (letters - sum(known)).clip(min=0)
    table = np.stack([*known, rest])
    return np.where(letters > 0, table.argmax(axis=0), len(table))
