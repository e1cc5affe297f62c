"""Which split a text belongs to: a matter of the text alone, the same on every machine and day.

A text's digest is a number between 0 and 1. Below `test_share` it is held out for the test, in
the next `val_share` it chooses the weights, above it is trained on. So

- the same text is always in one split, whatever stands around it;
- rows that are added, taken away or reordered move no other row;
- a change of `val_share` alone moves rows between val and train, never one of the test rows.

The shares are met on average (the deviation of a share s among n rows is sqrt(s(1-s)/n)), in
every category alike; `intake` makes the exceptions that small categories need.
"""

from __future__ import annotations

import hashlib

_SCALE = 1 << 64


def digest_of(folded: str) -> bytes:
    """Returns 16 bytes that stand for a folded text (BLAKE2b); lone surrogates are allowed."""
    return hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def position_of(digest: bytes) -> float:
    """Returns where a digest lies between 0 and 1: its first eight bytes as a fraction."""
    return int.from_bytes(digest[:8], "big") / _SCALE


def split_of(folded: str, val_share: float, test_share: float) -> str:
    """Says which split a text belongs to.

    Args:
      folded: the text from `folding.fold_row` (or `fold`).
      val_share: share of texts that go to val, 0 to 1.
      test_share: share of texts that go to test, 0 to 1.

    Returns:
      `train`, `val` or `test`.

    Example:
      >>> split_of("laptop silver", val_share=0.1, test_share=0.1)
      'train'
    """
    position = position_of(digest_of(folded))
    if position < test_share:
        return "test"
    return "val" if position < test_share + val_share else "train"
