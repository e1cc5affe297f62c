from __future__ import annotations

import time
from pathlib import Path

from pipeline.pushing import remove_unfinished, wait_for_a_free_name
from pipeline.versions import newest_version


def _version(serving: Path, name: str, *, whole: bool = True) -> Path:
    folder = serving / name
    (folder / "variables").mkdir(parents=True)
    if whole:
        (folder / "saved_model.pb").touch()
    return folder


def test_newest_version_counts_as_number(tmp_path: Path) -> None:
    _version(tmp_path, "9")
    newest = _version(tmp_path, "10")
    _version(tmp_path, "notes")
    assert newest_version(tmp_path) == newest


def test_no_folder_has_no_version(tmp_path: Path) -> None:
    assert newest_version(tmp_path / "serving") is None


def test_two_pushes_never_share_a_name(tmp_path: Path) -> None:
    now = _version(tmp_path, str(int(time.time())))
    wait_for_a_free_name(tmp_path)
    assert int(time.time()) > int(now.name)


def test_version_of_a_killed_push_is_removed(tmp_path: Path) -> None:
    whole = _version(tmp_path, "1")
    _version(tmp_path, "2", whole=False)
    remove_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [whole]
