"""What stands for a text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prodcls_tf.data.digests import digest_of, key_of, position_of


def test_digest_is_the_same_on_every_machine():
    # Written down once: a change here splits the rows of every user afresh.
    assert digest_of("product 0").hex() == "074fa44f78f7ebc0348612a88e09817e"


@given(st.text(st.characters()))
def test_every_text_has_a_place(text):
    digest = digest_of(text)
    assert 0 <= key_of(digest) < 2**64
    assert 0.0 <= position_of(digest) <= 1.0


def test_lone_surrogate_has_a_digest():
    assert len(digest_of("\ud83d")) == 16
