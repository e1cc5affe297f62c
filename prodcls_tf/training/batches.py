"""Batches of rows of about the same length, so that little of a step is spent on padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Rows are shuffled, then sorted by length within windows of this many batches: few enough that a
# batch's rows are a fair draw, many enough that their lengths are alike.
_WINDOW = 40


def training_batches(lengths: np.ndarray, batch_size: int, seed: int) -> list[np.ndarray]:
    """Cuts one epoch's rows into batches of like length, in random order.

    Args:
      lengths: tokens of each row, [rows].
      batch_size: rows a batch; the last one may be smaller.
      seed: another seed gives another draw; give each epoch its own.

    Returns:
      Row indices of each batch; every row once.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(lengths))
    batches: list[np.ndarray] = []
    window = batch_size * _WINDOW
    for start in range(0, len(order), window):
        rows = order[start : start + window]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def inference_batches(lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Yields row indices in batches, shortest rows first; every row once."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
