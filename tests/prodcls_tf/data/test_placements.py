"""What is remembered of the splits of keys from one run to the next."""

from __future__ import annotations

import numpy as np
import pytest

from prodcls_tf.data.placements import (
    KEPT_RUNS,
    NOWHERE,
    PLACEMENT,
    Placements,
    Terms,
    check,
    remember,
    writing,
)
from prodcls_tf.errors import DataError, OutputError
from prodcls_tf.settings import DataSettings

TERMS = Terms.of(DataSettings(), {"all"})
TRAIN, VAL, TEST = range(3)


@pytest.fixture
def memory(tmp_path):
    """A folder with the file `memory`, and what takes the placements of a run into it."""

    def _remember(splits, terms=TERMS):
        save(tmp_path / "new", splits, terms)
        remember(tmp_path / "new", tmp_path / "memory")
        return tmp_path / "memory"

    return _remember


def save(path, splits, terms=TERMS):
    with writing(path, terms) as add:
        add(np.array([(key, split, 0) for key, split in sorted(splits.items())], PLACEMENT))
    return path


def load(path, terms=TERMS):
    return {int(key): int(split) for key, split, _ in Placements(path, terms).upto(2**64 - 1)}


def test_placements_are_remembered(memory):
    splits = {0: TRAIN, 7: VAL, 2**64 - 1: TEST}
    assert load(memory(splits)) == splits


def test_key_that_was_not_seen_this_time_is_remembered(memory):
    memory({1: TEST, 5: TRAIN})
    assert load(memory({3: VAL})) == {1: TEST, 3: VAL, 5: TRAIN}


def test_key_that_is_not_seen_for_long_is_forgotten(memory):
    memory({1: TEST})
    for _ in range(KEPT_RUNS):
        path = memory({3: VAL})
    assert load(path) == {1: TEST, 3: VAL}
    assert load(memory({3: VAL})) == {3: VAL}


@pytest.mark.parametrize("splits", [(TRAIN, TEST), (TEST, TRAIN)])
def test_key_in_two_splits_is_held_out(memory, splits):
    for split in splits:
        path = memory({1: split})
    assert load(path) == {1: TEST}


def test_splits_are_told_a_range_of_keys_at_a_time(tmp_path):
    keys = np.arange(0, 400_000, 2)
    path = save(tmp_path / "a", {int(key): key % 3 for key in keys})
    placements = Placements(path, TERMS)
    for start in range(0, 400_000, 90_000):
        asked = np.arange(start, min(start + 90_000, 400_000), dtype="u8")
        split = placements.splits(asked)
        assert (split[1::2] == NOWHERE).all()
        assert (split[::2] == asked[::2] % 3).all()


def test_no_file_knows_no_key():
    assert Placements(None, TERMS).splits(np.array([4], "u8")).tolist() == [NOWHERE]


@pytest.mark.parametrize(
    "settings",
    [
        {"text": ["name"]},
        {"group": "sku"},
        {"near_duplicates": "off"},
        {"clean": False},
        {"test_share": 0.2},
    ],
)
def test_splits_do_not_hold_under_other_settings(tmp_path, settings):
    path = save(tmp_path / "a", {1: TEST, 2: TRAIN})
    assert load(path, Terms.of(DataSettings(**settings), {"all"})) == {}


def test_another_share_of_val_leaves_the_test_rows(tmp_path):
    path = save(tmp_path / "a", {1: TEST, 2: TRAIN, 3: VAL})
    assert load(path, Terms.of(DataSettings(val_share=0.2), {"all"})) == {1: TEST}


def test_ready_files_leave_nothing_to_split():
    assert Terms.of(DataSettings(), {"train", "val"}).val_share == 0.0


@pytest.mark.parametrize("content", [b"", b"no Parquet", b"PAR1"])
def test_damaged_file_is_named_with_the_remedy(tmp_path, content):
    path = tmp_path / "splits.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"splits\.parquet.*Bring the file back"):
        check(path)


def test_file_of_another_kind_is_refused(tmp_path):
    import pandas

    pandas.DataFrame({"key": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet"):
        check(tmp_path / "a.parquet")


def test_memory_that_cannot_be_written_is_named(tmp_path):
    new = save(tmp_path / "new", {1: TEST})
    with pytest.raises(OutputError, match="gone"):
        remember(new, tmp_path / "gone" / "memory")


def test_nothing_but_the_file_is_left(memory):
    path = memory({1: TEST})
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["memory", "new"]
