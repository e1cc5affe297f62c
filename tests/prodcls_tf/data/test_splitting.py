"""Which split a text belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodcls_tf.data.splitting import digest_of, position_of, split_of

TEXTS = [f"product {i}" for i in range(20_000)]


def test_split_is_the_same_on_every_machine():
    # Written down once: a change here moves the rows of every user.
    assert [split_of(text, 0.2, 0.3) for text in TEXTS[:8]] == [
        "test",
        "train",
        "train",
        "test",
        "train",
        "train",
        "train",
        "train",
    ]


def test_shares_are_met():
    splits = [split_of(text, 0.1, 0.2) for text in TEXTS]
    assert splits.count("test") / len(TEXTS) == pytest.approx(0.2, abs=0.01)
    assert splits.count("val") / len(TEXTS) == pytest.approx(0.1, abs=0.01)


@given(st.text(), st.floats(0.0, 0.5), st.floats(0.0, 0.5))
def test_changing_the_val_share_moves_no_test_row(text, one, other):
    assert (split_of(text, one, 0.3) == "test") == (split_of(text, other, 0.3) == "test")


@given(st.text())
def test_no_share_leaves_everything_in_train(text):
    assert split_of(text, 0.0, 0.0) == "train"


@given(st.text(st.characters()))
def test_every_text_has_a_position(text):
    assert 0.0 <= position_of(digest_of(text)) <= 1.0


def test_lone_surrogate_has_a_digest():
    assert len(digest_of("\ud83d")) == 16
