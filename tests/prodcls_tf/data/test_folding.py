"""Which texts count as the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodcls_tf.data.folding import JOINT, fold, fold_row, is_blank


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ('Red  RADIO\t13"\n', 'red radio 13"'),
        ("ＡＢＣ　１２", "abc 12"),
        ("Straße", "strasse"),
        ("ﬁne", "fine"),
        ("Cafe\u0301", "café"),
        ("a\u00a0b\u2003c", "a b c"),
        ("ra\u200bdio\ufeff \u00ad", "radio"),
        ("bell\x07 \x1f x", "bell x"),
        ("\u200b\u2060 \u3000", ""),
        ("手机", "手机"),
    ],
)
def test_fold(text, folded):
    assert fold(text) == folded


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_folded_text_is_trimmed_and_never_holds_the_joint(text):
    assert fold(text).strip() == fold(text)
    assert JOINT not in fold(text)


@given(st.lists(st.text(max_size=5), min_size=2, max_size=2), st.text(max_size=5))
def test_rows_are_the_same_only_field_by_field(fields, other):
    same = fold(fields[1]) == fold(other)
    assert (fold_row(fields) == fold_row([fields[0], other])) is same


def test_moving_a_word_to_the_next_field_makes_another_row():
    assert fold_row(["red radio", ""]) != fold_row(["red", "radio"])


def test_row_without_anything_visible_is_blank():
    assert is_blank(fold_row([" ", "\u200b"]))
    assert not is_blank(fold_row(["", "x"]))
