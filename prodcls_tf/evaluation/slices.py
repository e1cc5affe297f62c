"""Slices of rows: parts of a test split on which a model is looked at by itself.

A model can be better overall and worse where it hurts: for one department, for the short titles,
for the part of the catalogue that is not written in Latin letters.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Sequence

# Characters from which on a text is of the next length. Not words: Chinese has no blanks.
_LENGTHS = (20, 40, 80, 160)


def slices_of(category: str, texts: Sequence[str], separator: str) -> dict[str, str]:
    """Says which slices a row is part of.

    Args:
      category: its path.
      texts: its text fields.
      separator: what stands between the levels of the path.

    Returns:
      By kind of slice, which one: the path's first level, the length and the script of all texts
      together.

    Example:
      >>> slices_of("Audio > Headphones", ["wireless headset", ""], " > ")
      {'category': 'Audio', 'length': 'under 20 characters', 'script': 'latin'}
    """
    text = " ".join(filter(None, texts))
    return {
        "category": category.split(separator)[0],
        "length": length_of(text),
        "script": script_of(text),
    }


def length_of(text: str) -> str:
    """Returns the length of a text, roughly: each one goes up to twice the one before.

    Example:
      >>> length_of("usb c cable 2m, braided, black")
      '20 to 39 characters'
    """
    for shortest, end in zip((0, *_LENGTHS), _LENGTHS, strict=False):
        if len(text) < end:
            return f"{shortest} to {end - 1} characters" if shortest else f"under {end} characters"
    return f"{_LENGTHS[-1]} characters or more"


def script_of(text: str) -> str:
    """Returns the script that most letters of a text are written in, `none` without letters.

    It is the first word of the letters' names in Unicode: `latin`, `cyrillic`, `arabic`, `cjk`
    (Chinese characters), `hiragana`, `hangul`. A language is not told by it, but it costs no
    model and is never wrong.

    Example:
      >>> script_of("手机壳 iPhone 15 保护套 防摔 透明"), script_of("13.3 / 5")
      ('cjk', 'none')
    """
    found = Counter(filter(None, map(_script, text)))
    return found.most_common(1)[0][0] if found else "none"


@functools.lru_cache(maxsize=4096)
def _script(character: str) -> str:
    if not character.isalpha():
        return ""
    return unicodedata.name(character, "").partition(" ")[0].lower()
