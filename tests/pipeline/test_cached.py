from __future__ import annotations

import os

import pytest

from pipeline.cached import Records


@pytest.fixture
def artifact(tmp_path):
    folder = tmp_path / "Transform" / "graph" / "5"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.txt").write_text("abc")
    (folder / "b.txt").write_text("def")
    return folder


@pytest.fixture
def records(tmp_path, artifact):
    records = Records(tmp_path / "records")
    records.keep([artifact])
    return records


def test_what_is_as_it_was_stays(records, artifact):
    assert records.remove_damaged() == []
    assert (artifact / "b.txt").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "b.txt").write_text("xyz"),
        lambda folder: (folder / "b.txt").write_text("de"),
        lambda folder: (folder / "sub" / "a.txt").unlink(),
        lambda folder: (folder / "c.txt").write_text("more"),
    ],
    ids=["other content", "cut short", "gone", "one more"],
)
def test_damaged_artifact_is_removed_once(records, artifact, damage):
    damage(artifact)
    assert records.remove_damaged() == [artifact]
    assert not artifact.exists()
    assert records.remove_damaged() == []


def test_copy_with_other_times_is_no_damage(records, artifact):
    os.utime(artifact / "b.txt", (1, 1))
    assert records.remove_damaged() == []


def test_artifact_that_was_deleted_is_forgotten(records, artifact, tmp_path):
    for file in (artifact / "b.txt", artifact / "sub" / "a.txt"):
        file.unlink()
    (artifact / "sub").rmdir()
    artifact.rmdir()
    assert records.remove_damaged() == []
    assert list((tmp_path / "records").iterdir()) == []


def test_record_that_cannot_be_read_is_no_reason_to_remove_anything(records, artifact, tmp_path):
    (record,) = (tmp_path / "records").glob("*.json")
    record.write_text('{"artifact": 3')
    assert records.remove_damaged() == []
    assert artifact.exists()
