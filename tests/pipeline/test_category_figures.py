"""F1 by category from damaged files; test_runner.py compares real ones with TFMA's own reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.category_figures import category_f1
from pipeline.training import Training


def _training(folder: Path, content: bytes) -> Training:
    (folder / "metrics-00000-of-00001.tfrecord").write_bytes(content)
    (folder / "categories").write_text("Audio\nHome\n", encoding="utf-8")
    return Training(folder, 6, evaluation=folder, categories=folder / "categories")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x05", b"\x05" + 11 * b"\0" + b"abc", b"\x03" + 11 * b"\0" + b"\xff\xff\xff1234"],
    ids=["empty", "cut in the length", "cut in the record", "no message"],
)
def test_damaged_figures_are_no_figures(tmp_path: Path, content: bytes) -> None:
    assert category_f1(_training(tmp_path, content)) == {}


def test_deleted_names_of_categories_leave_no_figures(tmp_path: Path) -> None:
    training = _training(tmp_path, b"")
    (tmp_path / "categories").unlink()
    assert category_f1(training) == {}


def test_model_that_was_never_measured_has_no_figures(tmp_path: Path) -> None:
    assert category_f1(Training(tmp_path, 6)) == {}
