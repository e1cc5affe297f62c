"""kill -9 of the pipeline inside each of its steps, one after the other, in one folder."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.out_folder import OutFolder
from prodcls_tf.manifest import check_manifest
from tests.tiny import POOR

from .conftest import STEPS, Shop, write_products
from .forks import Forks

pytestmark = pytest.mark.slow

# With a search before the training, every component takes part.
SEARCHED = [*STEPS[:6], "Tuner", *STEPS[6:]]

# Seconds after which those that take longest are in the middle of their work.
LATE = {
    "ProductExampleGen": 0.5,
    "StatisticsGen": 1.0,
    "Transform": 3.0,
    "Tuner": 3.0,
    "Trainer": 3.0,
    "Evaluator": 1.0,
    "Canary": 1.0,
}


def live_without_files(shop: Shop) -> list[str]:
    """Artifacts that ML Metadata calls LIVE and that are not there."""
    store = mlmd.MetadataStore(sqlite_metadata_connection_config(str(OutFolder(shop.out).metadata)))
    live = metadata_store_pb2.Artifact.LIVE
    return [
        artifact.uri
        for artifact in store.get_artifacts()
        if artifact.state == live and not Path(artifact.uri).exists()
    ]


def told_of_rows(shop: Shop) -> bool:
    """Whether a person finds what intake came to."""
    out = OutFolder(shop.out)
    return out.intake.is_file() and out.rejects.is_file()


@pytest.fixture(scope="module")
def killed_everywhere(shop, tmp_path_factory):
    """A shop whose pipeline was killed in each step, and what was seen after each kill."""
    folder = tmp_path_factory.mktemp("recovery")
    own = Shop(folder / "products.csv", shop.encoder, folder / "out")
    write_products(own.products, 160)
    forks = Forks(own, folder, *POOR, "tuning.enabled=true")
    with contextlib.closing(forks):
        seen = {}
        for step in SEARCHED:
            code = forks.killed(step, LATE.get(step, 0.0))
            seen[step] = (code, live_without_files(own), told_of_rows(own))
        assert forks.run() == 0, (folder / "stderr").read_text()[-2000:]
    return own, seen


def test_a_kill_in_any_step_leaves_no_artifact_without_files(killed_everywhere):
    _, seen = killed_everywhere
    assert {step: lost for step, (_, lost, _) in seen.items() if lost} == {}
    assert [code for code, _, _ in seen.values()].count(-signal.SIGKILL) >= len(seen) - 1


def test_what_intake_came_to_is_told_whichever_later_step_is_killed(killed_everywhere):
    _, seen = killed_everywhere
    # The first step may have ended before its kill.
    assert {step for step, (_, _, told) in seen.items() if not told} <= set(STEPS[:1])


def test_rerun_after_the_kills_ends_and_repeats_no_finished_step(killed_everywhere):
    shop, seen = killed_everywhere
    summary = json.loads(OutFolder(shop.out).summary.read_text())
    assert summary["pushed"]
    # The last kill was in the last step; all before it had ended in one of the former tries.
    assert set(list(seen)[:-1]) - {"Tuner"} <= set(summary["cached"])
    # A search that has ended is looked up, by another step.
    assert "Tuner" not in summary["seconds"]
    assert summary["hparams"]


def test_only_whole_versions_are_left_in_the_serving_folder(killed_everywhere):
    shop, _ = killed_everywhere
    base = shop.out / "serving" / "prodcls"
    folders = [entry for entry in base.iterdir() if entry.is_dir()]
    assert all(folder.name.isdigit() for folder in folders)
    assert all(check_manifest(folder) for folder in folders)
