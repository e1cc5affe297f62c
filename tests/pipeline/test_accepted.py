"""The folder of accepted states."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from pipeline import accepted
from pipeline.accepted import Baseline, State
from pipeline.schema_proto import allowed_categories, read_schema
from prodcls_tf.data.anomalies import AnomalyReport
from prodcls_tf.data.profile import Profile
from prodcls_tf.errors import DataError, InputError, OutputError

NOW = datetime(2026, 11, 28, tzinfo=timezone.utc)
SCHEMA = """
feature { name: "title" type: BYTES }
feature { name: "category" type: BYTES string_domain { value: "A" value: "B" } }
"""


def propose(folder: Path, origin: str = "o1") -> State:
    profile = Profile()
    profile.add({"title": ["usb cable", "case"]}, ["A", "B"])
    baseline = Baseline(
        origin=origin,
        files={"all": ["products.csv"]},
        columns={"title": "title", "category": "category"},
        splits={"train": profile},
    )
    return accepted.propose(folder, SCHEMA, b"", baseline, AnomalyReport())


def accept(folder: Path, origin: str = "o1") -> State:
    propose(folder, origin)
    return accepted.accept(folder, NOW, "a test")


def test_nothing_is_accepted_in_a_missing_folder(tmp_path: Path) -> None:
    assert accepted.newest(tmp_path / "schema") is None
    assert accepted.candidate(tmp_path / "schema") is None
    assert accepted.cache_key(tmp_path / "schema", "o1") == ""


def test_candidate_becomes_the_accepted_state(tmp_path: Path) -> None:
    state = accept(tmp_path)
    assert accepted.newest(tmp_path) == state
    assert accepted.candidate(tmp_path) is None
    assert (state.number, state.baseline().accepted, state.baseline().by) == (1, NOW, "a test")
    assert state.schema.read_text() == SCHEMA
    assert not state.edited()


def test_highest_number_counts(tmp_path: Path) -> None:
    for number in (9, 10):
        (tmp_path / str(number)).mkdir()
    (tmp_path / "11-old").mkdir()
    assert accept(tmp_path).number == 11


def test_only_some_former_states_are_kept(tmp_path: Path) -> None:
    for _ in range(accepted.KEPT + 2):
        accept(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "4", "5", "6", "7"]


def test_without_a_candidate_nothing_can_be_accepted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was not stopped"):
        accepted.accept(tmp_path, NOW, "a test")


def test_half_written_candidate_of_a_killed_run_is_none(tmp_path: Path) -> None:
    (tmp_path / ".candidate-17").mkdir()
    assert accepted.candidate(tmp_path) is None
    accepted.forget_candidate(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_newer_candidate_takes_the_place_of_the_last(tmp_path: Path) -> None:
    propose(tmp_path, "o1")
    propose(tmp_path, "o2")
    assert [path.name for path in tmp_path.iterdir()] == ["candidate"]
    assert State(tmp_path / "candidate").baseline().origin == "o2"


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "schema").touch()
    with pytest.raises(OutputError, match="can be written"):
        propose(tmp_path / "schema")


def test_state_of_the_very_rows_plays_no_part_in_the_cache(tmp_path: Path) -> None:
    accept(tmp_path, "o1")
    assert accepted.cache_key(tmp_path, "o1") == ""
    other = accepted.cache_key(tmp_path, "o2")
    accept(tmp_path, "o3")
    assert len({"", other, accepted.cache_key(tmp_path, "o2")}) == 3


def test_edited_schema_plays_a_part_in_the_cache(tmp_path: Path) -> None:
    state = accept(tmp_path)
    state.schema.write_text(SCHEMA.replace('"B"', '"C"'))
    assert state.edited()
    assert accepted.cache_key(tmp_path, "o1") != ""


@pytest.mark.parametrize("name", ["schema.pbtxt", "baseline.json"])
def test_damaged_state_is_told_with_its_remedy(tmp_path: Path, name: str) -> None:
    state = accept(tmp_path)
    accepted.check(tmp_path)
    (state.folder / name).write_text("feature { nam: 3 }")
    with pytest.raises(DataError, match=rf"{name}.*Or move the folder") as told:
        accepted.check(tmp_path)
    assert name != "schema.pbtxt" or "1:11" in str(told.value)


@pytest.mark.parametrize("name", ["schema.pbtxt", "baseline.json"])
def test_lost_file_of_a_state_is_told(tmp_path: Path, name: str) -> None:
    (accept(tmp_path).folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name}.*No such file"):
        accepted.check(tmp_path)


def test_categories_may_be_listed_for_the_whole_schema_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(
        'feature { name: "category" type: BYTES domain: "paths" }'
        'string_domain { name: "paths" value: "A" } string_domain { name: "other" value: "B" }'
    )
    (tmp_path / "b").write_text('feature { name: "category" type: BYTES }')
    assert allowed_categories(read_schema(tmp_path / "a")) == ["A"]
    assert allowed_categories(read_schema(tmp_path / "b")) is None
