"""Rows that belong together: near duplicates, groups of the user's, texts with several labels."""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodcls_tf.data.folding import fold_row
from prodcls_tf.data.intake import survey
from prodcls_tf.data.near import near_key, word_key
from prodcls_tf.errors import InputError, SettingsError
from prodcls_tf.settings import DataSettings, Settings
from tests.prodcls_tf.data.shop import PLENTY

_NAMES = ("title", "category", "sku")


def take(path: Path, rows, splits=None, **options):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([_NAMES, *rows, *((t, c, f"own {t}") for t, c in PLENTY)])
    intake = survey({"all": [path]}, DataSettings(**options), splits)
    kept = [(row, split) for split, row in intake.rows() if not row.group.startswith("own ")]
    kept = [(row, split) for row, split in kept if (row.fields[0], row.category) not in PLENTY]
    return kept, intake.report


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Silver laptop by Acme, 16 GB", "acme: LAPTOP by silver 32gb"),
        ("Printland PMR1880 ceramic coffee mug", "Printland PMR1049 Ceramic Coffee Mug"),
        ("红色手机壳 适用 64G", "手机壳红色（适用）128G"),
        ("very very good red lamp", "lamp, red, very good"),
    ],
)
def test_like_texts_share_a_key(one, other):
    assert near_key(fold_row([one])) == near_key(fold_row([other]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("iPhone 12", "iPhone 13"),
        ("radio number 7", "radio number 8"),
        ("silver laptop by acme", "silver laptop by bolto"),
        ("12345", "12346"),
        ("!!!", "???"),
    ],
)
def test_texts_that_differ_in_what_counts_have_keys_of_their_own(one, other):
    assert near_key(fold_row([one])) != near_key(fold_row([other]))


def test_numbers_count_where_a_row_would_be_dropped():
    assert word_key("ram 2.4 ghz 16 gb") != word_key("ram 4.2 ghz 16 gb")
    assert word_key("ram, 16 gb (new)") == word_key("new 16 gb ram")


VARIANTS = [(f"shiny silver laptop by acme {size} gb", "radio", str(size)) for size in range(20)]


def test_near_duplicates_are_kept_in_one_split_and_counted(tmp_path):
    kept, report = take(tmp_path / "a.csv", VARIANTS)
    assert len(kept) == 20
    assert len({split for _, split in kept}) == 1
    assert report.near_duplicates.rows == 20


def test_near_duplicates_go_by_their_text_alone_where_they_are_off(tmp_path):
    kept, report = take(tmp_path / "a.csv", VARIANTS, near_duplicates="off")
    assert [split for _, split in kept].count("train") < 20
    assert report.near_duplicates.rows == 0


def test_same_words_are_one_row_where_near_duplicates_are_dropped(tmp_path):
    rows = [("acme laptop, 16 gb", "lamp", "1"), ("Laptop Acme 16 GB", "lamp", "2")]
    kept, report = take(tmp_path / "a.csv", [*rows, *VARIANTS], near_duplicates="drop")
    assert [row.line for row, _ in kept] == [2, *range(4, 24)]
    assert report.duplicates.rows == 1


def test_error_about_an_empty_split_names_near_duplicates_as_a_cause(tmp_path):
    rows = [(f"a long product title that repeats {i}", f"c{i % 3}") for i in range(200)]
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([_NAMES[:2], *rows])
    with pytest.raises(InputError, match=r"data\.near_duplicates=off"):
        survey({"all": [path]}, DataSettings())


def test_rows_of_a_group_share_a_split_whatever_their_texts(tmp_path):
    rows = [(f"thing {i} {i % 40}", "radio", f"p{i % 40}") for i in range(200)]
    kept, _ = take(tmp_path / "a.csv", rows, group="sku")
    splits = {}
    for row, split in kept:
        assert splits.setdefault(row.group, split) == split
    assert len(kept) == 200
    assert len(set(splits.values())) == 3


def test_row_without_a_group_goes_by_its_text(tmp_path):
    kept, _ = take(
        tmp_path / "a.csv", [(f"thing {i}", "sofa", " ") for i in range(50)], group="sku"
    )
    assert Counter(split for _, split in kept) == {"train": 40, "val": 5, "test": 5}


def test_missing_group_column_names_its_setting(tmp_path):
    with pytest.raises(InputError, match=r"'ean' is missing.*--set data\.group="):
        take(tmp_path / "a.csv", [], group="ean")


def test_label_column_cannot_be_the_group():
    with pytest.raises(SettingsError, match="group column"):
        Settings.parse({"data": {"group": "category"}})


def test_texts_under_several_categories_are_dropped_if_asked_for(tmp_path):
    rows = [("x y", "lamp", "1"), ("X  Y", "radio", "2"), ("x y", "lamp", "3"), ("z", "lamp", "4")]
    kept, report = take(tmp_path / "a.csv", rows, conflicts="drop")
    assert [row.fields[0] for row, _ in kept] == ["z"]
    assert (report.conflicts.rows, report.duplicates.rows) == (3, 0)
    assert report.conflicts.examples[1].endswith("a.csv:3 'radio'")


TITLES = st.tuples(st.integers(0, 6), st.integers(0, 3)).map(
    lambda t: f"word{'abcdefg'[t[0]]} case of red leather {t[1]}"
)
TABLES = st.lists(
    st.tuples(
        TITLES, st.sampled_from(["radio", "lamp", "chair"]), st.sampled_from(["", "p", "q", "r"])
    ),
    max_size=25,
)


def splits_in(rows, splits=None, **options):
    with tempfile.TemporaryDirectory() as folder:
        kept, report = take(Path(folder, "a.csv"), rows, splits, **options)
    assert report.rows_read - sum(report.kept.values()) == (
        report.duplicates.rows + report.conflicts.rows
    )
    return kept


@settings(deadline=None, max_examples=40)
@given(TABLES, st.sampled_from(["group", "drop"]))
def test_neither_text_nor_near_duplicates_cross_a_split(rows, near):
    splits: dict[str, str] = {}
    for row, split in splits_in(rows, near_duplicates=near):
        assert splits.setdefault(near_key(fold_row(row.fields)), split) == split


@settings(deadline=None, max_examples=40)
@given(TABLES)
def test_neither_text_nor_group_crosses_a_split(rows):
    kept = splits_in(rows, group="sku")
    assert len({fold_row(row.fields) for row, _ in kept}) == len(kept)
    splits: dict[str, str] = {}
    for row, split in kept:
        if row.group:
            assert splits.setdefault(row.group, split) == split


@settings(deadline=None, max_examples=40)
@given(TABLES, TABLES)
def test_added_rows_move_no_row_from_test_to_train(old, new):
    with tempfile.TemporaryDirectory() as folder:
        splits = Path(folder, "splits")
        before = {fold_row(row.fields): split for row, split in splits_in(old, splits)}
        after = {fold_row(row.fields): split for row, split in splits_in([*old, *new], splits)}
    assert all(after[text] == split for text, split in before.items())


@settings(deadline=None, max_examples=40)
@given(TABLES, TABLES)
def test_added_rows_move_no_row_of_a_group_unless_its_text_changes_hands(old, new):
    with tempfile.TemporaryDirectory() as folder:
        splits = Path(folder, "splits")
        before = splits_in(old, splits, group="sku")
        both = splits_in([*old, *new], splits, group="sku")
    after = {fold_row(row.fields): (row, split) for row, split in both}
    for row, split in before:
        now, moved = after[fold_row(row.fields)]
        assert moved == split or now.group != row.group
