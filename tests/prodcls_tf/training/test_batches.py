"""Batches of like length."""

from __future__ import annotations

import numpy as np

from prodcls_tf.training.batches import inference_batches, training_batches

LENGTHS = np.random.default_rng(0).integers(4, 60, 1000)


def test_every_row_is_in_one_batch_of_an_epoch():
    rows = np.concatenate(training_batches(LENGTHS, 32, seed=1))
    assert sorted(rows) == list(range(1000))


def test_only_one_batch_of_an_epoch_is_not_full():
    sizes = [len(batch) for batch in training_batches(LENGTHS, 32, seed=1)]
    assert sorted(sizes)[:2] == [1000 % 32, 32]


def test_same_seed_gives_the_same_batches_and_another_seed_others():
    first, again, other = (training_batches(LENGTHS, 32, seed=s) for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_rows_of_a_batch_are_of_like_length():
    spread = [np.ptp(LENGTHS[batch]) for batch in training_batches(LENGTHS, 32, seed=1)]
    assert np.mean(spread) < 0.1 * np.ptp(LENGTHS)


def test_inference_batches_hold_every_row_once():
    assert sorted(np.concatenate(list(inference_batches(LENGTHS, 64)))) == list(range(1000))
