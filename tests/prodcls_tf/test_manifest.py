"""The manifest of a model's folder."""

from __future__ import annotations

import hashlib
import json

import pytest

from prodcls_tf.errors import ModelError
from prodcls_tf.manifest import MANIFEST, Manifest, check_manifest, write_manifest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "variables.index").write_bytes(b"index" * 1000)
    write_manifest(tmp_path)
    return tmp_path


def test_manifest_names_every_file_with_size_and_digest(folder):
    written = json.loads((folder / MANIFEST).read_text())
    assert written["format"] == 1
    assert set(written["files"]) == {"saved_model.pb", "variables/variables.index"}
    assert written["files"]["saved_model.pb"] == {
        "size": 5,
        "sha256": hashlib.sha256(b"graph").hexdigest(),
    }
    assert check_manifest(folder)


def test_manifest_written_again_takes_in_what_was_added(folder):
    (folder / "assets.extra" / "metrics.json").write_text("{}")
    assert Manifest.read(folder).unlisted(folder) == ["assets.extra/metrics.json"]
    write_manifest(folder)
    assert Manifest.read(folder).unlisted(folder) == []
    left = {path.name for path in (folder / "assets.extra").iterdir()}
    assert left == {"metrics.json", "manifest.json"}


def test_folder_without_a_manifest_is_not_checked(tmp_path):
    assert Manifest.read(tmp_path) is None
    assert not check_manifest(tmp_path)


def test_missing_and_truncated_files_are_incomplete_without_being_read(folder):
    (folder / "saved_model.pb").write_bytes(b"gra")
    (folder / "variables" / "variables.index").unlink()
    assert set(Manifest.read(folder).incomplete(folder)) == {
        "saved_model.pb",
        "variables/variables.index",
    }
    with pytest.raises(ModelError, match=r"saved_model\.pb"):
        check_manifest(folder)


def test_other_content_of_the_same_size_is_corrupt(folder):
    (folder / "saved_model.pb").write_bytes(b"grape")
    manifest = Manifest.read(folder)
    assert manifest.incomplete(folder) == []
    assert manifest.corrupt(folder) == ["saved_model.pb"]
    with pytest.raises(ModelError, match="Copy or push that version again"):
        check_manifest(folder)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 2, "files": {}}',
        '{"format": 1}',
        '{"format": 1, "files": {"a": {}}}',
        '{"format": 1, "files": {"../a": {"size": 1, "sha256": ""}}}',
        '{"format": 1, "files": {"/a": {"size": 1, "sha256": ""}}}',
        '{"format": 1, "files": {"a//b": {"size": 1, "sha256": ""}}}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_manifest_that_cannot_be_understood_is_refused(folder, content):
    (folder / MANIFEST).write_text(content, encoding="latin-1")
    with pytest.raises(ModelError, match="A manifest must be one"):
        Manifest.read(folder)
