from __future__ import annotations

import os

import pytest

from pipeline.cached import Fingerprints


@pytest.fixture
def artifact(tmp_path):
    folder = tmp_path / "Transform" / "graph" / "5"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.txt").write_text("abc")
    (folder / "b.txt").write_text("def")
    return folder


@pytest.fixture
def fingerprints(tmp_path, artifact):
    fingerprints = Fingerprints(tmp_path / "records")
    fingerprints.keep([artifact])
    return fingerprints


def test_what_is_as_it_was_stays(fingerprints, artifact):
    assert fingerprints.remove_damaged() == []
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
def test_damaged_artifact_is_removed_once(fingerprints, artifact, damage):
    damage(artifact)
    assert fingerprints.remove_damaged() == [artifact]
    assert not artifact.exists()
    assert fingerprints.remove_damaged() == []


def test_copy_with_other_times_is_no_damage(fingerprints, artifact):
    os.utime(artifact / "b.txt", (1, 1))
    assert fingerprints.remove_damaged() == []


def test_artifact_that_was_deleted_is_forgotten(fingerprints, artifact, tmp_path):
    for file in (artifact / "b.txt", artifact / "sub" / "a.txt"):
        file.unlink()
    (artifact / "sub").rmdir()
    artifact.rmdir()
    assert fingerprints.remove_damaged() == []
    assert list((tmp_path / "records").iterdir()) == []


def test_record_that_cannot_be_read_is_no_reason_to_remove_anything(
    fingerprints, artifact, tmp_path
):
    (record,) = (tmp_path / "records").glob("*.json")
    record.write_text('{"artifact": 3')
    assert fingerprints.remove_damaged() == []
    assert artifact.exists()
