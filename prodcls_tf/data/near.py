"""When two texts are nearly the same: keys that are a matter of the text alone.

Shops list a product in every size, and export it with its words in another order. If such rows are
spread over the splits, the test asks what the training has told. So the split goes by a key that
they share, and that needs no other row, so that added rows change none. Clusters of similar texts
(shingles with MinHash, Broder 1997; SimHash, Charikar 2002) find more, but a new row can join two
of them, and one would have to move.

The keys are those of OpenRefine's fingerprint method (key collision: case, punctuation, order and
repetition do not count), the wider one without numbers.
"""

from __future__ import annotations

import re

# With fewer words than this, the numbers are what tells products apart (`iPhone 12`).
MIN_WORDS = 4

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
# Letters alone; a sign of Chinese or Japanese is a word.
_LETTERS = re.compile(rf"[{_CJK}]|[^\W\d_{_CJK}]+")
# The same for ASCII, several times faster: whatever is no letter becomes a blank.
_PLAIN = {code: " " for code in range(128) if not chr(code).isalpha()}
# With numbers: 2.4, 3/4 and usb-c are each one word.
_WORDS = re.compile(r"[^\W_]+(?:[./:,×-][^\W_]+)*")


def word_key(folded: str) -> str:
    """Returns what texts share whose words are the same, numbers included.

    Args:
      folded: a text from `folding.fold_row`.

    Returns:
      The sorted words, each once; the text itself where it has none.

    Example:
      >>> word_key("cable, usb-c 2 m") == word_key("usb-c cable 2 m (cable)")
      True
    """
    return " ".join(sorted(set(_WORDS.findall(folded)))) or folded


def near_key(folded: str) -> str:
    """Returns what texts share that are alike but for numbers, punctuation and order.

    Args:
      folded: a text from `folding.fold_row`.

    Returns:
      The sorted words without digits, each once, where there are MIN_WORDS at least; else the
      `word_key`.

    Example:
      >>> near_key("phone case 64 gb red") == near_key("red phone case, 128gb")
      True
    """
    found = folded.translate(_PLAIN).split() if folded.isascii() else _LETTERS.findall(folded)
    words = sorted(set(found))
    return " ".join(words) if len(words) >= MIN_WORDS else word_key(folded)
