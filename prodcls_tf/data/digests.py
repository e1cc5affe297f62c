"""What stands for a text: a digest, the same on every machine and day, and as good as a draw."""

from __future__ import annotations

import hashlib

_SCALE = 1 << 64


def digest_of(folded: str) -> bytes:
    """Returns 16 bytes that stand for a folded text (BLAKE2b); lone surrogates are allowed."""
    return hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def key_of(digest: bytes) -> int:
    """Returns the first eight bytes of a digest as a number: 0 to 2^64 - 1.

    Example:
      >>> key_of(digest_of("laptop silver"))
      16784329952014343148
    """
    return int.from_bytes(digest[:8], "big")


def position_of(digest: bytes) -> float:
    """Returns where a digest lies between 0 and 1, by its first eight bytes."""
    return key_of(digest) / _SCALE
