"""Whatever the rows: a text is in one split, and added rows move no other."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from prodcls_tf.data.folding import fold_row
from prodcls_tf.data.intake import survey
from tests.prodcls_tf.data.shop import PLENTY, SETTINGS, own_split, save, text_in


def kept_rows(rows, **sources):
    """Surveys rows in a folder of their own; split and category by folded text."""
    with tempfile.TemporaryDirectory() as folder:
        named = {"all": [*rows, *PLENTY]} if rows is not None else sources
        files = {name: [save(Path(folder) / f"{name}.csv", r)] for name, r in named.items()}
        found = [
            (fold_row(row.fields), split, row.category)
            for split, row in survey(files, SETTINGS).rows()
        ]
    assert len({text for text, _, _ in found}) == len(found)
    return {text: (split, category) for text, split, category in found}


TITLES = st.integers(0, 40).flatmap(
    lambda i: st.sampled_from([f"thing {i}", f"Thing  {i}", f"ＴＨＩＮＧ {i}\u200b"])
)
LABELS = st.sampled_from(["radio", "lamp", "rare", "rarer", "rarest", ""])
ROWS = st.lists(st.tuples(TITLES, LABELS), max_size=30)


@given(ROWS, ROWS, ROWS)
def test_no_text_is_in_two_splits(one, two, three):
    kept_rows(one)
    kept_rows(None, train=[*one, *PLENTY], val=[*two, *PLENTY[:9]], test=[*three, *PLENTY[-9:]])


def labelled(numbers):
    """Rows whose category depends on the text alone, so that none conflict."""
    return [(f"thing {i}", ["rare", "rarer", "rarest"][i % 3]) for i in numbers]


@given(st.lists(st.integers(0, 60), max_size=15), st.lists(st.integers(0, 60), max_size=15))
def test_added_rows_move_a_row_only_out_of_a_train_that_its_category_lacked(old, new):
    before, after = kept_rows(labelled(old)), kept_rows(labelled([*new, *old]))
    for text, (split, category) in before.items():
        if after[text] != (split, category):
            by_hash = own_split(text)
            assert split == "train"
            assert after[text] == (by_hash, category)
            own = [t for t, (_, c) in before.items() if c == category]
            assert all(own_split(t) != "train" for t in own)


def test_row_moves_to_its_own_split_once_its_category_has_a_train_row():
    alone, learned = text_in("test"), text_in("train")
    assert kept_rows([(alone, "rare")])[alone][0] == "train"
    assert kept_rows([(alone, "rare"), (learned, "rare")])[alone][0] == "test"


def test_row_goes_from_test_to_train_only_when_its_category_loses_its_train_row():
    held, learned = text_in("test"), text_in("train")
    rows = [(held, "rare"), (learned, "rare")]
    assert kept_rows(rows)[held][0] == "test"
    assert kept_rows([*rows, (learned, "lamp"), (learned, "lamp")])[held][0] == "train"
