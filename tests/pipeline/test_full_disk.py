"""A disk that fills up in each step of the pipeline, one after the other, in one folder."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from pipeline.out_folder import OutFolder
from prodcls_tf.manifest import check_manifest
from tests.disks import AS_ROOT, small_disk

from .conftest import STEPS, Shop, write_products
from .forks import Forks

pytestmark = [pytest.mark.slow, AS_ROOT]

# The others are over so soon that their disk is full before they begin; these have begun to work.
WORKING = {"ProductExampleGen", "StatisticsGen", "Transform", "Trainer", "Evaluator", "Canary"}

Seen = dict[str, tuple[int, str]]


@pytest.fixture(scope="module")
def filled_everywhere(
    shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Shop, Seen]]:
    """A shop whose disk was full in each step, and how each run ended."""
    folder = tmp_path_factory.mktemp("full")
    # A run refuses to begin with less.
    with small_disk(folder / "disk", size="300m") as disk:
        own = Shop(folder / "products.csv", shop.encoder, disk / "out")
        write_products(own.products, 160)
        with contextlib.closing(Forks(own, folder)) as forks:
            seen = {step: forks.filled(step, 0.0 if step in WORKING else -1.0) for step in STEPS}
            assert forks.run() == 0
        yield own, seen


def test_full_disk_in_any_step_ends_the_run_in_words(filled_everywhere: tuple[Shop, Seen]) -> None:
    _, seen = filled_everywhere
    wrong = {
        step: (code, said[-2000:])
        for step, (code, said) in seen.items()
        if code != 2 or f"full one in the step {step}: " not in said
    }
    assert wrong == {}


def test_full_disk_says_nothing_else(filled_everywhere: tuple[Shop, Seen]) -> None:
    _, seen = filled_everywhere
    assert {step: said for step, (_, said) in seen.items() if "Traceback" in said} == {}


def test_run_with_room_again_repeats_no_finished_step(
    filled_everywhere: tuple[Shop, Seen],
) -> None:
    shop, _ = filled_everywhere
    summary = json.loads(OutFolder(shop.out).summary.read_text())
    assert summary["pushed"]
    assert set(STEPS) - set(summary["cached"]) == {"Pusher"}


def test_full_disk_leaves_whole_versions_alone(filled_everywhere: tuple[Shop, Seen]) -> None:
    shop, _ = filled_everywhere
    base = shop.out / "serving" / "prodcls"
    (version,) = (entry for entry in base.iterdir() if entry.is_dir())
    assert check_manifest(version)
