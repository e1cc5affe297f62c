"""Slices of rows, by what can be seen of a row."""

from __future__ import annotations

import pytest

from prodcls_tf.evaluation.slices import length_of, script_of, slices_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("usb cable 2 m", "latin"),
        ("кабель usb-c 2 м белый", "cyrillic"),
        ("手机壳 15 保护套", "cjk"),
        ("كابل شحن USB", "arabic"),
        ("13.3 / 5 🔌", "none"),
        ("", "none"),
        ("\x00\ud800", "none"),
    ],
)
def test_script_is_that_of_most_letters(text: str, script: str) -> None:
    assert script_of(text) == script


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
    assert slices_of("A > B > C", ["x"], " > ")["category"] == "A"
    assert slices_of("A", ["x"], " > ")["category"] == "A"


def test_texts_of_a_row_count_together() -> None:
    assert slices_of("A", ["short", "x" * 30], " > ")["length"] == "20 to 39 characters"
