"""When two texts count as the same: Unicode, case and blanks folded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Stands between the folded fields of a row; a folded text never holds it (it counts as a blank).
JOINT = "\x1f"

# Controls that are no blanks, and characters without width or meaning of their own: a BERT
# tokenizer deletes them too, so texts that differ in them alone are the same to the model.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+"
)


def fold(text: str) -> str:
    r"""Folds what does not make another product: compatibility forms, case, blanks.

    NFKC, full case folding, NFKC again (folding can undo it), invisible characters deleted, every
    run of blanks one space, none at the ends. Folding twice changes nothing more.

    Args:
      text: any text.

    Returns:
      The folded text; '' where nothing visible was there.

    Example:
      >>> fold("  ＡＢＣ\u00a0Straße\u200b ")
      'abc strasse'
    """
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
        text = unicodedata.normalize("NFKC", text)
    if not text.isprintable():
        text = _INVISIBLE.sub("", text)
    return " ".join(text.split())


def fold_row(fields: Iterable[str]) -> str:
    r"""Folds the fields of a row into one text; another value in any field gives another text.

    Example:
      >>> fold_row(["Laptop 13\"", "SILVER "]).split(JOINT)
      ['laptop 13"', 'silver']
    """
    return JOINT.join(map(fold, fields))


def is_blank(folded: str) -> bool:
    """Whether a text from `fold` or `fold_row` has nothing in any field."""
    return not folded.strip(JOINT)
