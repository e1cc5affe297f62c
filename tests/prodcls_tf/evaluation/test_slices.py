"""Slices of rows, by what can be seen of a row."""

from __future__ import annotations

import pytest

from prodcls_tf.evaluation.slices import length_of, slices_of


@pytest.mark.parametrize(
    ("characters", "length"),
    [
        (0, "under 20 characters"),
        (19, "under 20 characters"),
        (20, "20 to 39 characters"),
        (159, "80 to 159 characters"),
        (160, "160 characters or more"),
        (100_000, "160 characters or more"),
    ],
)
def test_lengths_meet_without_a_gap(characters: int, length: str) -> None:
    assert length_of("x" * characters) == length


def test_category_is_the_first_level_of_its_path() -> None:
    assert slices_of(["A > B > C", "D"], [["x"], ["y"]], " > ")["category"] == ["A", "D"]


def test_texts_of_a_row_count_together() -> None:
    slices = slices_of(["A", "A"], [["short", "cable for a phone"], ["", "手机壳"]], " > ")
    assert slices["length"] == ["20 to 39 characters", "under 20 characters"]
    assert slices["language"] == ["en", "zh"]


def test_without_rows_there_are_no_slices() -> None:
    assert slices_of([], [], " > ") == {"category": [], "length": [], "language": []}
