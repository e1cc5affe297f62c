"""What is told of a version's folder before it is loaded."""

from __future__ import annotations

import os
import shutil

import pytest

from prodcls_tf.manifest import MANIFEST, STAGING, write_manifest
from serving.server.repository import inspect, list_versions, verify
from serving.server.status import Code, ServingError
from tests.serving.server.shop_of_versions import push


@pytest.fixture
def base(tmp_path):
    return tmp_path / "shoes"


def refusal(folder) -> ServingError:
    with pytest.raises(ServingError) as caught:
        verify(folder)
    return caught.value


def test_complete_version_is_loadable(base):
    version = push(base, 1)
    found = inspect(version)
    assert found.has_manifest and found.incomplete is None and found.unsafe is None
    verify(version)


def test_versions_are_folders_named_by_whole_numbers(base):
    for number in (2, 10, 9):
        push(base, number)
    (base / "11").write_text("a file")
    (base / "models").mkdir()
    assert list_versions(base) == {2: base / "2", 9: base / "9", 10: base / "10"}


def test_every_change_changes_the_fingerprint(base):
    version = push(base, 1)
    seen = {inspect(version).fingerprint}

    def changed():
        fingerprint = inspect(version).fingerprint
        new = fingerprint not in seen
        seen.add(fingerprint)
        return new

    assert not changed()
    (version / "saved_model.pb").write_text("best")
    assert changed()
    (version / "extra").touch()
    assert changed()
    (version / "extra").unlink()
    assert changed()
    os.utime(version / "saved_model.pb")
    assert changed()
    shutil.rmtree(version)
    push(base, 1)
    assert changed()


def test_empty_folder_is_incomplete(base):
    (base / "1").mkdir(parents=True)
    assert "saved_model.pb" in inspect(base / "1").incomplete.message


def test_links_within_the_version_are_fine(base):
    version = push(base, 1)
    shutil.move(version / "saved_model.pb", version / "graph")
    (version / "saved_model.pb").symlink_to("graph")
    assert inspect(version).unsafe is None
    verify(version)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "../2/saved_model.pb", "loop"])
def test_links_out_of_the_version_are_refused(base, target):
    push(base, 2)
    version = push(base, 1)
    (version / "assets").mkdir()
    (version / "assets" / "loop").symlink_to("loop")
    (version / "vocabulary").symlink_to(target if target != "loop" else "assets/loop")
    assert inspect(version).unsafe.code == Code.PERMISSION_DENIED


def test_version_that_is_a_link_out_of_the_model_s_folder_is_refused(base, tmp_path):
    push(tmp_path / "elsewhere", 1)
    base.mkdir()
    (base / "1").symlink_to(tmp_path / "elsewhere" / "1")
    assert "out of the model's folder" in inspect(base / "1").unsafe.message


def test_version_that_is_a_link_within_the_model_s_folder_is_fine(base):
    push(base, 1).rename(base / "..data")
    (base / "1").symlink_to("..data")
    assert inspect(base / "1").unsafe is None


def test_version_whose_push_has_not_ended_lacks_its_manifest(base):
    version = push(base, 1, manifest=False)
    marker = base / f"{STAGING}1"
    marker.touch()
    assert MANIFEST in inspect(version).incomplete.message
    write_manifest(version)
    assert inspect(version).incomplete is None
    marker.unlink()
    assert inspect(version).incomplete is None


def test_foreign_version_beside_another_one_s_push_is_complete(base):
    version = push(base, 1, manifest=False)
    (base / f"{STAGING}2").touch()
    assert inspect(version).incomplete is None


def test_pipe_is_refused_and_not_waited_for(base):
    version = push(base, 1, manifest=False)
    (version / "assets").mkdir()
    os.mkfifo(version / "assets" / "vocabulary.txt")
    assert "neither a file nor a folder" in inspect(version).unsafe.message


def test_content_that_differs_from_the_manifest_is_data_loss(base):
    version = push(base, 1)
    (version / "saved_model.pb").write_text("evil")
    error = refusal(version)
    assert error.code == Code.DATA_LOSS and "saved_model.pb" in error.message


@pytest.mark.parametrize(
    "name",
    [
        "saved_model.pbtxt",
        "variables/variables.data-00000-of-00002",
        "assets/old_vocabulary.txt",
        "assets.extra/tf_serving_warmup_requests",
    ],
)
def test_file_that_a_server_would_read_must_be_in_the_manifest(base, name):
    version = push(base, 1)
    (version / name).parent.mkdir(exist_ok=True)
    (version / name).write_text("of another version")
    assert inspect(version).incomplete is None
    error = refusal(version)
    assert error.code == Code.FAILED_PRECONDITION and name in error.message


def test_file_that_nobody_reads_may_lie_there(base, caplog):
    version = push(base, 1)
    (version / ".DS_Store").touch()
    (version / "assets.extra" / "notes.txt").write_text("pushed on a Friday")
    verify(version)
    assert not caplog.records


def test_version_that_vanishes_is_told_as_such(base):
    with pytest.raises(FileNotFoundError):
        inspect(base / "1")
    version = push(base, 1)
    write_manifest(version)
    (version / "saved_model.pb").unlink()
    assert refusal(version).code == Code.DATA_LOSS
