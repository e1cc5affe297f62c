"""How many keys of each category go to which split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodcls_tf.data.placements import NOWHERE
from prodcls_tf.data.shares import Shares

TRAIN, VAL, TEST = range(3)


def place(categories, known=None, val=0.1, test=0.1):
    """The split of each key, given its category, and where an earlier run has placed it."""
    category = np.array(categories, np.int64)
    split = np.full(len(category), NOWHERE) if known is None else np.array(known, np.int64)
    names = [f"category {i}" for i in range(max(categories, default=-1) + 1)]
    shares = Shares(names, val, test)
    shares.count(category, split)
    shares.begin()
    return shares.place(category, split)


CATEGORIES = st.lists(st.integers(0, 4), max_size=80)
SHARE = st.sampled_from([0.0, 0.05, 0.1, 0.3])


@given(CATEGORIES, SHARE, SHARE)
def test_each_category_has_its_shares_to_less_than_one_key(categories, val, test):
    split = place(categories, val=val, test=test)
    for category in set(categories):
        own = split[np.array(categories) == category]
        counts = np.bincount(own, minlength=3)
        assert counts[TRAIN]
        assert abs(counts[TEST] - min(test * len(own), len(own) - 1)) < 1
        left = len(own) - 1 - counts[TEST]
        assert abs(counts[VAL] - min(val * len(own), left)) < 1


def test_whole_shares_are_met_exactly():
    split = place([0] * 30 + [1] * 20)
    assert np.bincount(split[:30]).tolist() == [24, 3, 3]
    assert np.bincount(split[30:]).tolist() == [16, 2, 2]


def test_many_small_categories_have_their_share_together():
    split = place([i // 4 for i in range(4_000)])
    assert (split == TEST).mean() == pytest.approx(0.1, abs=0.015)
    assert (split == VAL).mean() == pytest.approx(0.1, abs=0.015)


def test_only_key_of_a_category_is_trained_on():
    assert place([0], val=0.45, test=0.5).tolist() == [TRAIN]


def test_first_keys_are_tested_on_and_the_next_choose_the_weights():
    assert place([0] * 20).tolist() == [TEST] * 2 + [VAL] * 2 + [TRAIN] * 16


@given(CATEGORIES, st.data())
def test_known_keys_stay(categories, data):
    known = data.draw(
        st.lists(st.integers(0, NOWHERE), min_size=len(categories), max_size=len(categories))
    )
    split = place(categories, known)
    assert all(now == was for now, was in zip(split, known, strict=True) if was != NOWHERE)


def test_new_keys_fill_up_what_known_ones_leave():
    known = [TRAIN] * 40 + [TEST] + [NOWHERE] * 9
    assert np.bincount(place([0] * 50, known)[41:]).tolist() == [0, 5, 4]


def test_new_key_is_trained_on_where_no_known_one_is():
    assert place([0] * 12, [TEST] * 10 + [VAL, NOWHERE])[-1] == TRAIN


def test_keys_may_come_in_portions():
    categories, new = np.array([0, 1] * 40), np.full(80, NOWHERE)
    portions = Shares(["category 0", "category 1"], 0.1, 0.1)
    for start in range(0, 80, 7):
        portions.count(categories[start : start + 7], new[start : start + 7])
    portions.begin()
    split = np.concatenate(
        [
            portions.place(categories[start : start + 7], new[start : start + 7])
            for start in range(0, 80, 7)
        ]
    )
    assert split.tolist() == place(categories.tolist()).tolist()


def test_keys_may_be_placed_once_more():
    shares, category = Shares(["category 0"], 0.1, 0.1), np.zeros(30, np.int64)
    shares.count(category, np.full(30, NOWHERE))
    splits = []
    for _ in range(2):
        shares.begin()
        splits.append(shares.place(category, np.full(30, NOWHERE)).tolist())
    assert splits[0] == splits[1]
