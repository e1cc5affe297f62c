from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.out_folder import OutFolder, check_disk, disk_needed, write
from prodcls_tf.errors import OutputError


def test_too_small_a_disk_is_refused_with_both_figures(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"about 1000000000\.0 GB.* GB free"):
        check_disk(tmp_path, 10**18)


def test_need_grows_with_encoder_and_data() -> None:
    small = disk_needed(encoder_bytes=10**6, data_bytes=10**6)
    assert disk_needed(10**9, 10**6) > small
    assert disk_needed(10**6, 10**9) > small


def test_folder_is_made_and_free_again_afterwards(tmp_path: Path) -> None:
    folder = OutFolder(tmp_path / "a" / "b")
    for _ in range(2):
        with folder.held():
            assert folder.artifacts.is_dir()


def test_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="summary"):
        write(tmp_path / "missing" / "summary.json", "{}")


def test_run_at_work_is_seen_without_its_lock(tmp_path: Path) -> None:
    folder = OutFolder(tmp_path)
    assert not folder.at_work()
    with folder.held():
        assert folder.at_work()
    assert not folder.at_work()


def test_results_without_metadata_are_put_aside(tmp_path: Path) -> None:
    folder = OutFolder(tmp_path)
    for name in ("Trainer", "checkpoints", "searches", "records"):
        (folder.artifacts / name).mkdir(parents=True)
    assert folder.put_lost_results_aside() == folder.artifacts / "lost-1"
    assert {entry.name for entry in folder.artifacts.iterdir()} == {
        "checkpoints", "lost-1", "searches",
    }  # fmt: skip
    assert folder.put_lost_results_aside() is None


def test_results_with_metadata_stay(tmp_path: Path) -> None:
    folder = OutFolder(tmp_path)
    (folder.artifacts / "Trainer").mkdir(parents=True)
    folder.metadata.touch()
    assert folder.put_lost_results_aside() is None
    assert (folder.artifacts / "Trainer").exists()


def test_damaged_metadata_is_told(tmp_path: Path) -> None:
    folder = OutFolder(tmp_path)
    folder.check_metadata()
    folder.metadata.write_bytes(b"nonsense" * 200)
    with pytest.raises(OutputError, match="must be a database.*Move it away"):
        folder.check_metadata()
