"""The character table behind the n-grams: one folded code point and one class per code point.

Compatibility forms (full width, ligatures, superscripts) and case are folded before, by
`case_fold_utf8`, which composes; what is left for the table is accents, typographic variants and
the classes. The table is a constant of the graph, so a saved model keeps its own whatever Unicode
version a later Python knows.
"""

from __future__ import annotations

import functools
import unicodedata

import numpy as np

# Classes. Word characters are letters, digits, marks and whatever lies past the table.
WORD, DIGIT, BLANK, JOINER, DIGIT_JOINER, UNIT, INCH, OTHER, DROPPED = range(9)

# Past the last kana: after folding, only letters and ideographs follow, emoji apart.
TABLE_SIZE = 0x3100
EMOJI = (0x1F000, 0x20000)

_VARIANTS = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc`\xb4", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\xab\xbb", '"'),
    "\u2044": "/",
    "\xd7": "x",
    # A Greek mu is what compatibility folding makes of the micro sign.
    "\xb5": "\u03bc",
}
_CLASSES = {
    **dict.fromkeys("-.'&", JOINER),
    **dict.fromkeys(",:/", DIGIT_JOINER),
    **dict.fromkeys("%+#", UNIT),
    '"': INCH,
    "_": WORD,
}


@functools.lru_cache(maxsize=1)
def fold_table() -> tuple[np.ndarray, np.ndarray]:
    """Makes the table for the code points below `TABLE_SIZE`.

    Returns:
      Two int32 arrays of length `TABLE_SIZE`: the folded code points, and their classes.

    Example:
      >>> codes, classes = fold_table()
      >>> chr(codes[ord("é")]), bool(classes[ord("7")] == DIGIT)
      ('e', True)
    """
    folded = [_fold(chr(code)) for code in range(TABLE_SIZE)]
    codes = np.array([ord(character) for character in folded], np.int32)
    classes = np.array([_class(character) for character in folded], np.int32)
    return codes, classes


def _fold(character: str) -> str:
    if character in _VARIANTS:
        return _VARIANTS[character]
    if unicodedata.category(character) == "Zs" or character.isspace():
        return " "
    parts = unicodedata.normalize("NFD", character)
    # Only European accents go: a Devanagari vowel or a kana's voicing is part of the word.
    if len(parts) > 1 and all(_is_accent(part) for part in parts[1:]):
        return _VARIANTS.get(parts[0], parts[0])
    return character


def _is_accent(character: str) -> bool:
    return "\u0300" <= character <= "\u036f"


def _class(character: str) -> int:
    if character == " ":
        return BLANK
    if character in _CLASSES:
        return _CLASSES[character]
    category = unicodedata.category(character)
    # Hebrew points and Arabic vowel signs are mostly left out in writing.
    optional = "\u0591" <= character <= "\u05c7" or "\u064b" <= character <= "\u0652"
    if category == "Cc" or (category == "Mn" and (optional or _is_accent(character))):
        return DROPPED
    if category == "Nd":
        return DIGIT
    return OTHER if category[0] in "PS" else WORD
