"""How many keys of each category go to which split.

The keys of a category, in the order of their digests, which is as good as a draw: the first go to
test until its share is met, the next to val, the others to train. So each category has its shares,
to less than one key (Cochran, Sampling Techniques, 3rd edition 1977, chapter 5: proportional
allocation). A key that an earlier run has placed stays, and counts; new ones fill up what is
missing.

A share of 0.1 among 14 keys is 1 or 2: which of them, the category's name decides, so that many
small categories together have their share, too, and a category does not waver as it grows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prodcls_tf.data.digests import digest_of, position_of
from prodcls_tf.data.ledger import Array
from prodcls_tf.data.placements import NOWHERE
from prodcls_tf.features import SPLITS

_TRAIN, _VAL, _TEST = range(len(SPLITS))


class Shares:
    """The keys of all categories: first counted, all of them, and then placed.

    Args:
      names: the categories by number.
      val_share: share of the keys that go to val, 0 to 1.
      test_share: share of them that go to test.

    Example:
      >>> shares = Shares(["lamp"], val_share=0.1, test_share=0.2)
      >>> lamps, new = np.zeros(20, int), np.full(20, NOWHERE)
      >>> shares.count(lamps, new)
      >>> shares.begin()
      >>> np.bincount(shares.place(lamps, new)).tolist()
      [14, 2, 4]
    """

    def __init__(self, names: Sequence[str], val_share: float, test_share: float) -> None:
        self._known: Array = np.zeros((len(SPLITS), len(names)), np.int64)
        self._names = names
        self._shares = {_VAL: val_share, _TEST: test_share}
        self._keys = np.zeros(len(names), np.int64)
        self._placed = np.zeros(len(names), np.int64)
        self._missing: dict[int, Array] = {}

    def count(self, category: Array, split: Array) -> None:
        """Counts keys.

        Args:
          category: of each key.
          split: that an earlier run has placed it in, else NOWHERE.
        """
        self._keys += self._of(category)
        for number in range(len(SPLITS)):
            self._known[number] += self._of(category[split == number])

    def begin(self) -> None:
        """Begins to place the keys, all of which have been counted; may be asked for once more."""
        self._placed[:] = 0
        self._missing = self._still_missing()

    def place(self, category: Array, split: Array) -> Array:
        """Places keys; those of all calls since `begin` are those that were counted, sorted.

        Returns:
          The split of each.
        """
        new = split == NOWHERE
        own = category[new]
        rank = self._placed[own] + _ranks(own)
        self._placed += self._of(own)
        test = self._missing[_TEST][own]
        both = test + self._missing[_VAL][own]
        placed = split.copy()
        placed[new] = np.where(rank < test, _TEST, np.where(rank < both, _VAL, _TRAIN))
        return placed

    def _still_missing(self) -> dict[int, Array]:
        """How many new keys test and val get; one key at least is left for train."""
        spare = np.maximum(self._keys - 1, 0)
        test = np.minimum(self._wanted(_TEST), spare)
        val = np.minimum(self._wanted(_VAL), spare - test)
        new = self._keys - self._known.sum(axis=0)
        spare = np.where(self._known[_TRAIN] > 0, new, np.maximum(new - 1, 0))
        test = np.clip(test - self._known[_TEST], 0, spare)
        val = np.clip(val - self._known[_VAL], 0, spare - test)
        return {_TEST: test, _VAL: val}

    def _wanted(self, split: int) -> Array:
        # Another eight bytes of the digest for each split: two draws that know nothing of another.
        rounding = [position_of(digest_of(name)[8 * (split - 1) :]) for name in self._names]
        exact = self._shares[split] * self._keys
        # A product such as 0.1 * 30 may fall a little short of the whole number that it is.
        return np.floor(exact + np.array(rounding) * (1 - 1e-9) + 1e-9).astype(np.int64)

    def _of(self, category: Array) -> Array:
        return np.bincount(category, minlength=len(self._names))


def _ranks(category: Array) -> Array:
    """How many of the same category stand before each."""
    order = np.argsort(category, kind="stable")
    starts = np.flatnonzero(np.diff(category[order], prepend=-1))
    sizes = np.diff(starts, append=len(category))
    ranks = np.empty(len(category), np.int64)
    ranks[order] = np.arange(len(category)) - np.repeat(starts, sizes)
    return ranks
