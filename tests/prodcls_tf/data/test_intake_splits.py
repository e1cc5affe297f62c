"""Whatever the rows: a text is in one split, and stays there while splits are remembered."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodcls_tf.data.folding import fold_row
from prodcls_tf.data.intake import survey
from prodcls_tf.errors import DataError, InputError
from prodcls_tf.settings import DataSettings
from tests.prodcls_tf.data.shop import PLENTY, SETTINGS, save


def kept_rows(rows, splits=None, settings=SETTINGS, **sources):
    """Surveys rows in a folder of their own; split and category by folded text."""
    with tempfile.TemporaryDirectory() as folder:
        named = {"all": [*rows, *PLENTY]} if rows is not None else sources
        files = {name: [save(Path(folder) / f"{name}.csv", r)] for name, r in named.items()}
        found = [
            (fold_row(row.fields), split, row.category)
            for split, row in survey(files, settings, splits).rows()
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


# Shares under which even a few rows leave some in each split.
LARGE = DataSettings(val_share=0.3, test_share=0.3)

# Near duplicates in several categories, some of which occur once.
MIXED = st.lists(
    st.tuples(
        st.builds("{} case of red leather {}".format, st.sampled_from("abcdef"), st.integers(0, 3)),
        st.sampled_from(["radio", "lamp", "rare", "rarer"])
        | st.integers(0, 99).map("once {}".format),
    ),
    max_size=12,
)


@given(st.lists(MIXED, min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_no_row_moves_from_test_to_train_whatever_comes(files, order):
    with tempfile.TemporaryDirectory() as folder:
        splits, rows, before = Path(folder, "splits"), [], {}
        for added in files:
            rows = [*rows, *added]
            order.shuffle(rows)
            now = kept_rows(rows, splits, LARGE)
            for text, (split, _) in before.items():
                assert (split, now.get(text, ("gone",))[0]) != ("test", "train")
            before = now


def labelled(numbers):
    """Rows whose category depends on the text alone, so that none conflict."""
    return [(f"thing {i}", ["rare", "rarer", "rarest"][i % 3]) for i in numbers]


NUMBERS = st.lists(st.integers(0, 60), max_size=15)


@given(NUMBERS, NUMBERS)
def test_added_rows_move_no_row(old, new):
    with tempfile.TemporaryDirectory() as folder:
        splits = Path(folder, "splits")
        before = kept_rows(labelled(old), splits, LARGE)
        after = kept_rows(labelled([*new, *old]), splits, LARGE)
    assert {text: after[text] for text in before} == before


@given(NUMBERS, NUMBERS)
def test_rows_that_are_gone_for_a_time_come_back_to_their_split(old, new):
    with tempfile.TemporaryDirectory() as folder:
        splits = Path(folder, "splits")
        before = kept_rows(labelled(old), splits, LARGE)
        kept_rows(labelled(new), splits, LARGE)
        after = kept_rows(labelled([*new, *old]), splits, LARGE)
    assert {text: after[text] for text in before} == before


def test_same_rows_once_more_are_split_in_the_same_way(tmp_path):
    rows = labelled(range(50))
    once = kept_rows(rows, tmp_path / "splits")
    assert kept_rows(rows, tmp_path / "splits") == once == kept_rows(rows)


PAIR = [("thing one", "rare"), ("thing other", "rare")]


@pytest.fixture
def bereft(tmp_path):
    """A category of two rows, one of them held out, whose other one then goes to another."""

    def _bereft(split, settings):
        found = kept_rows(PAIR, tmp_path / "splits", settings)
        (held,) = [text for text, _ in PAIR if found[text][0] == split]
        (learned,) = {text for text, _ in PAIR} - {held}
        taken = [(learned, "lamp")] * 2
        return held, kept_rows([*PAIR, *taken], tmp_path / "splits", settings)

    return _bereft


def test_row_that_was_tested_on_is_left_out_where_its_category_loses_its_train_row(bereft):
    held, after = bereft("test", DataSettings(val_share=0.05, test_share=0.45))
    assert held not in after


def test_rows_that_chose_weights_are_learned_from_where_their_category_has_no_other(bereft):
    held, after = bereft("val", DataSettings(val_share=0.45, test_share=0.05))
    assert after[held] == ("train", "rare")


def test_tested_row_that_a_new_category_claims_is_not_learned_from(tmp_path):
    before = kept_rows([], tmp_path / "splits")
    held = next(text for text, (split, _) in before.items() if split == "test")
    after = kept_rows([(held, "brand new")], tmp_path / "splits")
    assert after.get(held, ("gone",))[0] != "train"


def test_survey_that_is_refused_leaves_what_is_remembered(tmp_path):
    kept_rows([], tmp_path / "splits")
    (file,) = (tmp_path / "splits").iterdir()
    before = file.read_bytes()
    save(tmp_path / "all.csv", [(f"lamp {i}", "lamp") for i in range(60)])
    with pytest.raises(InputError, match="at least two categories"):
        survey({"all": [tmp_path / "all.csv"]}, SETTINGS, tmp_path / "splits")
    assert file.read_bytes() == before


def test_damaged_memory_is_told_before_the_files_are_read(tmp_path):
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "a.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"a\.gz"):
        survey({"all": [tmp_path / "gone.csv"]}, SETTINGS, tmp_path / "splits")
