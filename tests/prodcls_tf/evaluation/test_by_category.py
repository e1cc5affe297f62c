"""What became of each category from one model to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from prodcls_tf.evaluation.by_category import by_category
from prodcls_tf.evaluation.category_changes import CategoryChange, read_changes, write_changes

RIGHT = ["Audio"] * 10 + ["Home"] * 10
KNOWN = {"Audio", "Home"}


def _changes(before: list[str], after: list[str], **known: set[str]) -> dict[str, CategoryChange]:
    sets = {"known_before": KNOWN, "known_after": KNOWN, **known}
    return {one.category: one for one in by_category(RIGHT, before, after, **sets)}


def test_figures_of_both_models_stand_side_by_side() -> None:
    after = ["Home"] * 5 + RIGHT[5:]
    audio = _changes(RIGHT, after)["Audio"]
    assert (audio.rows, audio.state) == (10, "")
    assert (audio.precision_before, audio.recall_before, audio.f1_before) == (1.0, 1.0, 1.0)
    assert (audio.precision_after, audio.recall_after) == (1.0, 0.5)
    assert audio.f1_change == pytest.approx(2 / 3 - 1)


def test_rows_that_moved_are_counted_with_their_other_category() -> None:
    before = ["Home", *RIGHT[1:]]
    after = [*RIGHT[:-3], "Audio", "Audio", "Garden"]
    found = _changes(before, after, known_after={*KNOWN, "Garden"})
    assert (found["Audio"].won, found["Audio"].won_from) == (1, "Home (1)")
    assert (found["Home"].lost, found["Home"].lost_to) == (3, "Audio (2); Garden (1)")
    assert (found["Audio"].lost, found["Home"].won, found["Garden"].lost) == (0, 0, 0)


def test_row_that_both_have_wrong_did_not_move() -> None:
    found = _changes(["Home", *RIGHT[1:]], ["Garden", *RIGHT[1:]], known_after={*KNOWN, "Garden"})
    assert all(one.lost == one.won == 0 for one in found.values())


def test_category_that_only_the_new_model_knows_is_new() -> None:
    home = _changes(["Audio"] * 20, RIGHT, known_before={"Audio"})["Home"]
    assert (home.state, home.f1_before, home.f1_after, home.f1_change) == ("new", None, 1.0, None)
    assert (home.won, home.won_from) == (10, "Audio (10)")


def test_category_that_the_new_model_knows_no_more_is_retired() -> None:
    garden = _changes(RIGHT, RIGHT, known_before={*KNOWN, "Garden"})["Garden"]
    assert (garden.state, garden.rows, garden.f1_before, garden.f1_after) == (
        "retired",
        0,
        None,
        None,
    )


def test_category_that_no_model_knows_is_told_too() -> None:
    found = by_category(["Audio", "Toys"], ["Audio"] * 2, ["Audio"] * 2, {"Audio"}, {"Audio"})
    (toys,) = [one for one in found if one.category == "Toys"]
    assert (toys.rows, toys.state, toys.f1_before) == (1, "", None)


def test_fall_of_many_rows_comes_before_a_larger_one_of_few() -> None:
    right = ["rare"] * 2 + ["large"] * 100 + ["better"] * 100
    before = ["rare"] * 2 + ["large"] * 100 + ["gone"] * 50 + ["better"] * 50
    after = ["large"] * 2 + ["large"] * 70 + ["better"] * 130
    found = by_category(right, before, after, {*right, "gone"}, set(right))
    assert [one.category for one in found] == ["large", "rare", "better", "gone"]


def test_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "categories.csv"
    changes = by_category(
        ["Home, \"old\"", "猫粮"], ["猫粮"] * 2, ["Home, \"old\"", "猫粮"],
        {"猫粮"}, {"Home, \"old\"", "猫粮"},
    )  # fmt: skip
    write_changes(file, changes)
    assert [one.category for one in read_changes(file)] == [one.category for one in changes]
    assert read_changes(file)[0].f1_change == pytest.approx(changes[0].f1_change, abs=1e-4)
    assert read_changes(file)[1].won_from == "猫粮 (1)"


def test_spreadsheets_take_the_table_for_utf_8(tmp_path: Path) -> None:
    write_changes(tmp_path / "categories.csv", [CategoryChange(category="猫粮")])
    assert (
        (tmp_path / "categories.csv").read_bytes().startswith(b"\xef\xbb\xbfcategory,state,rows,")
    )


@pytest.mark.parametrize(
    "content", [None, b"", b"a,b\n1,2\n", b"category,state,rows\nA,,x\n", b"\xff"]
)
def test_table_that_is_lost_or_damaged_is_an_empty_one(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "categories.csv"
    if content is not None:
        file.write_bytes(content)
    assert read_changes(file) == []
