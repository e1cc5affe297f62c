"""Whether new files are like the rows that were accepted before."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from prodcls_tf.data.drift import drift, profile_files
from prodcls_tf.data.profile import Profile
from prodcls_tf.errors import InputError
from prodcls_tf.settings import Settings

ROWS = [("usb cable", "Audio"), ("phone case", "Phones")] * 200
SETTINGS = Settings()

WriteRows = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> WriteRows:
    """Writes a product file and returns its path."""

    def write(rows: Iterable[Sequence[str]], name: str = "new.csv") -> Path:
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("title", "category"), *rows])
        return tmp_path / name

    return write


@pytest.fixture
def accepted(put: WriteRows) -> dict[str, Profile]:
    return {"train": profile_files([put(ROWS, "accepted.csv")], SETTINGS.data)}


def _kinds(
    file: Path, accepted: dict[str, Profile], *overrides: str, known: Sequence[str] | None = None
) -> list[str]:
    settings = Settings.load(overrides=overrides)
    return [
        one.kind for one in drift(profile_files([file], settings.data), accepted, settings, known)
    ]


def test_rows_like_those_accepted_have_not_drifted(put, accepted):
    assert _kinds(put(ROWS[:300]), accepted) == []


def test_texts_in_another_language_have_drifted(put, accepted):
    rows = [("手机充电线一条白色", category) for _, category in ROWS]
    assert _kinds(put(rows), accepted) == ["language_drift"]


def test_the_gates_thresholds_hold(put, accepted):
    rows = [("手机充电线一条白色", category) for _, category in ROWS]
    assert _kinds(put(rows), accepted, "checks.max_language_drift=1") == []


def test_texts_without_a_category_count_too(put, accepted):
    rows = [("手机充电线一条白色", "") for _ in ROWS]
    assert _kinds(put(rows), accepted) == ["language_drift"]


def test_new_category_is_drift_even_where_the_gate_allows_it(put, accepted):
    rows = [*ROWS, ("rose bush", "Garden")]
    assert _kinds(put(rows), accepted, "checks.new_categories=allow") == ["new_category"]


def test_category_that_was_written_into_the_schema_is_not_new(put, accepted):
    rows = [*ROWS, ("rose bush", "Garden")]
    assert _kinds(put(rows), accepted, known=["Audio", "Phones", "Garden"]) == []


def test_other_shares_of_the_categories_are_drift(put, accepted):
    rows = [*ROWS, *[("phone case", "Phones")] * 400]
    assert _kinds(put(rows), accepted) == ["category_drift"]


def test_category_that_has_no_new_rows_is_missed_for_its_share_alone(put, accepted):
    rows = [("usb cable", "Audio")] * 400
    assert _kinds(put(rows), accepted) == ["category_drift"]
    assert _kinds(put(rows), accepted, "checks.max_category_drift=1") == []


def test_few_rows_may_differ_by_chance(put, accepted):
    assert _kinds(put([("手机充电线一条白色", "Audio"), ("usb cable", "Phones")]), accepted) == []


def test_texts_are_cleaned_as_those_accepted_were(put, accepted):
    rows = [(f"<b>{title}</b> &nbsp;", f" {category} ") for title, category in ROWS]
    assert _kinds(put(rows), accepted) == []
    assert _kinds(put(rows), accepted, "data.clean=false")[-1:] == ["length_drift"]


def test_row_that_cannot_be_read_is_passed_over(put):
    assert profile_files([put([*ROWS, ("a", "b", "stray")])], SETTINGS.data).rows == len(ROWS)


def test_file_without_the_columns_is_refused(tmp_path):
    (tmp_path / "new.csv").write_text("name\nusb cable\n")
    with pytest.raises(InputError, match="'title' is missing"):
        profile_files([tmp_path / "new.csv"], SETTINGS.data)


def test_no_rows_have_not_drifted(put, accepted):
    assert _kinds(put([]), accepted) == []
