"""What is remembered of the splits of keys from one run to the next."""

from __future__ import annotations

import gzip
import os
import random
import tracemalloc

import numpy as np
import pytest

from prodcls_tf.data.placements import (
    KEPT_RUNS,
    NOWHERE,
    PLACEMENT,
    Placements,
    Terms,
    agree,
    check,
    remember,
    writing,
)
from prodcls_tf.errors import DataError, OutputError
from prodcls_tf.settings import DataSettings
from tests.disks import AS_ROOT, small_disk

TRAIN, VAL, TEST = range(3)


def terms(*given, **settings):
    return Terms.of(DataSettings(**settings), given)


TERMS = terms()


def records(splits):
    return np.array([(key, split, 0) for key, split in sorted(splits.items())], PLACEMENT)


def save(path, splits, of=TERMS):
    with writing(path, of) as add:
        add(records(splits))
    return path


@pytest.fixture
def memory(tmp_path):
    """Takes the placements of a run into a folder, which is returned."""

    def _remember(splits, of=TERMS):
        remember(save(tmp_path / "own.gz", splits, of), tmp_path / "memory")
        return tmp_path / "memory"

    return _remember


def load(folder, of=TERMS, keys=range(12)):
    """The splits of those of the keys that are known."""
    asked = np.array(sorted(keys), "u8")
    splits = Placements(of.file_in(folder), of).splits(asked)
    return {
        int(key): int(split) for key, split in zip(asked, splits, strict=True) if split != NOWHERE
    }


def test_placements_are_remembered(memory):
    splits = {0: TRAIN, 7: VAL, 2**64 - 1: TEST}
    assert load(memory(splits), keys=[0, 1, 7, 2**64 - 1]) == splits


def test_key_that_was_not_seen_this_time_is_remembered(memory):
    memory({1: TEST, 5: TRAIN})
    assert load(memory({3: VAL})) == {1: TEST, 3: VAL, 5: TRAIN}


def test_key_that_is_not_seen_for_long_is_forgotten(memory):
    memory({1: TEST})
    for run in range(KEPT_RUNS):
        folder = memory({3: VAL, 10 + run: TRAIN})
    assert load(folder)[1] == TEST
    assert 1 not in load(memory({3: VAL}))


def test_same_placements_once_more_change_nothing(memory):
    memory({1: TEST})
    once = {path.name: path.read_bytes() for path in memory({3: VAL}).iterdir()}
    assert {path.name: path.read_bytes() for path in memory({3: VAL}).iterdir()} == once


@pytest.mark.parametrize("splits", [(TRAIN, TEST), (TEST, TRAIN)])
def test_key_in_two_splits_is_held_out(memory, splits):
    for split in splits:
        folder = memory({1: split})
    assert load(folder) == {1: TEST}


def test_streams_of_any_length_are_merged(memory):
    draw = random.Random(0)
    known = {}
    for _ in range(3):
        seen = {draw.randrange(2**64): draw.randrange(3) for _ in range(150_000)}
        folder = memory(seen)
        known.update(seen)
    assert load(folder, keys=known) == known


def test_splits_are_told_a_range_of_keys_at_a_time(tmp_path):
    keys = np.arange(0, 400_000, 2)
    placements = Placements(save(tmp_path / "a", {int(key): key % 3 for key in keys}), TERMS)
    for start in range(0, 400_000, 90_000):
        asked = np.arange(start, min(start + 90_000, 400_000), dtype="u8")
        split = placements.splits(asked)
        assert (split[1::2] == NOWHERE).all()
        assert (split[::2] == asked[::2] % 3).all()


def test_memory_does_not_grow_with_what_is_remembered(tmp_path, memory):
    peaks = []
    for count in (300_000, 1_200_000):
        own = tmp_path / "many.gz"
        with writing(own, TERMS) as add:
            placements = np.zeros(count, PLACEMENT)
            placements["key"] = np.arange(count)
            add(placements)
        remember(own, tmp_path / "memory")
        del placements
        tracemalloc.start()
        try:
            memory({count + 7: TEST})
            load(tmp_path / "memory", keys=[count + 7])
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_no_file_knows_no_key(tmp_path):
    assert load(tmp_path) == {}


OTHERS = [
    terms(text=["name"]),
    terms(group="sku"),
    terms(near_duplicates="off"),
    terms(clean=False),
    terms(test_share=0.2),
    terms("val", "test"),
]


@pytest.mark.parametrize("other", OTHERS)
def test_splits_do_not_hold_under_other_settings_and_outlive_them(memory, other):
    assert load(memory({1: TEST, 2: TRAIN}), other) == {}
    assert load(memory({1: TRAIN}, other)) == {1: TEST, 2: TRAIN}


def test_another_share_of_val_leaves_the_test_rows(memory):
    folder = memory({1: TEST, 2: TRAIN, 3: VAL})
    assert load(folder, terms(val_share=0.2)) == {1: TEST}
    assert load(memory({1: TEST, 3: TRAIN}, terms("val"))) == {1: TEST}


def test_what_becomes_of_like_rows_is_no_matter_of_keys():
    assert terms(near_duplicates="group") == terms(near_duplicates="drop")


def test_files_of_the_settings_used_last_are_kept(memory):
    for number in range(9):
        memory({1: TEST}, terms(group=f"column {number}"))
        # In use all the time, though there is nothing new to take.
        folder = memory({2: TEST})
    assert len(list(folder.iterdir())) == 5
    assert load(folder) == {2: TEST}
    assert load(folder, terms(group="column 8")) == {1: TEST}


def test_file_just_written_is_kept_whatever_the_clock_says(memory):
    for number in range(6):
        for path in memory({1: TEST}, terms(group=f"column {number}")).iterdir():
            os.utime(path, (4e9, 4e9))
    assert load(memory({2: TEST})) == {2: TEST}


def test_leftover_of_a_killed_run_is_removed(tmp_path, memory):
    left = TERMS.file_in(tmp_path / "memory").with_name(f".{TERMS.file_in(tmp_path).name}-123")
    left.parent.mkdir()
    left.touch()
    assert len(list(memory({1: TEST}).iterdir())) == 1


def test_result_that_knows_less_than_is_remembered_does_not_agree(tmp_path, memory):
    folder = memory({1: TEST, 2: TRAIN})
    assert agree(save(tmp_path / "same", {1: TEST, 2: VAL, 3: TEST}), folder)
    assert not agree(save(tmp_path / "older", {1: TRAIN, 3: TEST}), folder)
    assert not agree(save(tmp_path / "later", {1: TEST, 2: TEST}), folder)
    assert agree(save(tmp_path / "other", {1: TRAIN}, terms(group="sku")), folder)


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"no head\n")])
def test_file_of_another_kind_is_named_with_the_remedy(tmp_path, content):
    (tmp_path / "ab.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"ab\.gz.*Bring the file back"):
        check(tmp_path)


def test_any_damage_is_found(memory):
    (path,) = memory({key: key % 3 for key in range(1000)}).iterdir()
    whole = path.read_bytes()
    check(path.parent)
    for place in range(10, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(DataError):
            check(path.parent)
    path.write_bytes(whole[:-20])
    with pytest.raises(DataError):
        check(path.parent)


def test_memory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        remember(save(tmp_path / "own.gz", {1: TEST}), tmp_path / "file")


@AS_ROOT
def test_full_disk_leaves_what_was_remembered(tmp_path):
    large = tmp_path / "large.gz"
    with writing(large, TERMS) as add:
        placements = np.zeros(400_000, PLACEMENT)
        placements["key"] = np.sort(np.random.default_rng(0).integers(0, 2**63, len(placements)))
        add(placements)
    with small_disk(tmp_path / "disk", size="1m") as disk:
        remember(save(tmp_path / "own.gz", {1: TEST}), disk / "memory")
        with pytest.raises(OutputError, match="No space left"):
            remember(large, disk / "memory")
        assert len(list((disk / "memory").iterdir())) == 1
        assert load(disk / "memory") == {1: TEST}
