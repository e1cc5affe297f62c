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
