"""Integer hashes of n-grams as TensorFlow ops: the same buckets in every process and version."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# Odd, with well-spread bits (the golden ratio, and two constants of the splitmix64 finalizer).
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def windows(
    values: tf.Tensor,
    owners: tf.Tensor,
    sizes: tuple[int, int],
    kind: int,
    valid: Callable[[int, tf.Tensor], tf.Tensor],
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Hashes all valid windows over the values, n by n, each n from the one before.

    Args:
      values: uint64 [count], what the windows slide over.
      owners: int [count], the text of each value.
      sizes: smallest and largest n.
      kind: a small number that keeps equal values of unlike meaning apart, as n does.
      valid: takes n and the number of windows, says which windows count, bool [windows].

    Returns:
      For each n, the hashes of the valid windows, uint64, and the text of each.

    Example:
      >>> texts = tf.constant([0, 0, 1])
      >>> same = lambda n, count: texts[:count] == texts[n - 1 :]
      >>> pairs = windows(tf.constant([7, 8, 9], tf.uint64), texts, (1, 2), 1, same)
      >>> [owners.numpy().tolist() for _, owners in pairs]
      [[0, 0, 1], [0]]
    """
    pairs = []
    rolling = tf.zeros_like(values)
    for n in range(1, sizes[1] + 1):
        count = tf.maximum(tf.size(values) - (n - 1), 0)
        rolling = rolling[:count] * _number(_GOLDEN) + values[n - 1 :]
        if n >= sizes[0]:
            chosen = tf.where(valid(n, count))[:, 0]
            salt = _number((kind * 256 + n) * _MIX_1)
            pairs.append((mix(tf.gather(rolling, chosen) + salt), tf.gather(owners, chosen)))
    return pairs


def mix(values: tf.Tensor) -> tf.Tensor:
    """The finalizer of splitmix64 (Steele et al. 2014): each bit in changes half of those out.

    Args:
      values: uint64, any shape.

    Returns:
      uint64 of the same shape; different values stay different.

    Example:
      >>> hex(int(mix(tf.constant(0, tf.uint64))))
      '0xe220a8397b1dcdaf'
    """
    shift, xor = tf.bitwise.right_shift, tf.bitwise.bitwise_xor
    values = values + _number(_GOLDEN)
    values = xor(values, shift(values, _number(30))) * _number(_MIX_1)
    values = xor(values, shift(values, _number(27))) * _number(_MIX_2)
    return xor(values, shift(values, _number(31)))


def to_bucket(hashes: tf.Tensor, buckets: int) -> tf.Tensor:
    """Scales hashes to bucket numbers.

    Args:
      hashes: uint64, any shape.
      buckets: 1 to 2**31.

    Returns:
      int32 of the same shape, 0 to `buckets` - 1.

    Example:
      >>> int(to_bucket(tf.constant(2**63, tf.uint64), 10))
      5
    """
    # The upper half as a fraction of 2**32, scaled: no modulo, no bias worth naming.
    upper = tf.bitwise.right_shift(hashes, _number(32))
    return tf.cast(tf.bitwise.right_shift(upper * _number(buckets), _number(32)), tf.int32)


def _number(value: int) -> tf.Tensor:
    return tf.constant(value % 2**64, tf.uint64)
