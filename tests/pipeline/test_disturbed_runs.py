"""Runs in processes of their own, whose output folder is taken, damaged, or cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.out_folder import OutFolder
from tests.disks import AS_ROOT, small_disk

from .conftest import ROOT, STEPS, Shop, write_products

pytestmark = pytest.mark.slow

# A file that each of these steps has left.
DAMAGED = {
    "Transform": "transform_graph/*/transform_fn/saved_model.pb",
    "Trainer": "model/*/Format-Serving/variables/variables.data-*",
}


class Ended(NamedTuple):
    """How a run's process ended, and what it said."""

    code: int
    words: str


@pytest.fixture(scope="module")
def own(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("disturbed")
    write_products(folder / "products.csv", 160)
    (folder / "settings.yaml").write_text(shop.settings().to_yaml())
    return Shop(folder / "products.csv", shop.encoder, folder / "out")


@pytest.fixture(scope="module")
def at_once(own: Shop) -> tuple[Ended, Ended]:
    """A first run, and a second one that began while it was at work."""
    first, folder = _start(own, own.out), OutFolder(own.out)
    while not folder.at_work() and first.poll() is None:
        time.sleep(0.01)
    second = _ended(_start(own, own.out))
    assert first.poll() is None
    return _ended(first), second


@pytest.fixture(scope="module")
def damaged(own: Shop, at_once: tuple[Ended, Ended]) -> Ended:
    """The same run once more, after what two of its steps had left was cut short."""
    for step, pattern in DAMAGED.items():
        (file,) = (own.out / "pipeline" / step).glob(pattern)
        os.truncate(file, file.stat().st_size // 2)
    return _ended(_start(own, own.out))


def _start(own: Shop, out: Path) -> subprocess.Popen[str]:
    settings = own.products.with_name("settings.yaml")
    command = [sys.executable, "-m", "prodcls_tf.cli", "run", own.products, "--config", settings]
    return subprocess.Popen(
        [*map(str, command), "--out", str(out)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "10000"},
    )  # fmt: skip


def _ended(process: subprocess.Popen[str]) -> Ended:
    words, _ = process.communicate(timeout=400)
    return Ended(process.returncode, words)


@AS_ROOT
def test_run_into_a_folder_that_cannot_be_written_says_so(own: Shop, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "ro") as disk:
        code, words = _ended(_start(own, disk / "out"))
    assert code == 2
    assert "Read-only file system" in words and str(disk / "out") in words


def test_second_run_at_once_is_refused(own: Shop, at_once: tuple[Ended, Ended]) -> None:
    _, second = at_once
    assert second.code == 2, second.words
    assert "another run is at work" in second.words and str(own.out) in second.words


def test_run_is_not_disturbed_by_one_that_was_refused(at_once: tuple[Ended, Ended]) -> None:
    first, _ = at_once
    assert first.code == 0, first.words
    assert "pushed" in first.words


def test_damaged_results_are_made_again_and_the_others_are_not(own: Shop, damaged: Ended) -> None:
    assert damaged.code == 0, damaged.words
    cached = json.loads(OutFolder(own.out).summary.read_text())["cached"]
    assert not set(DAMAGED) & set(cached)
    assert set(STEPS[: STEPS.index("Transform")]) <= set(cached)
