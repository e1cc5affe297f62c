"""kill -9 of the pipeline inside each of its steps, one after the other, in one folder."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.out_folder import OutFolder
from prodcls_tf.manifest import check_manifest

from .conftest import ROOT, Shop, write_products

pytestmark = pytest.mark.slow

# Loads everything once. For each step named on its input it forks a process that runs the pipeline
# and is killed within that step; the name `-` stands for none. It prints how each process ended.
_FORKS = """
import os, signal, sys, threading
from pathlib import Path
import pipeline.collecting, pipeline.pipeline, pipeline.pushing, pipeline.trainer_fn
import pipeline.transform_fn
from pipeline.runner import run
from prodcls_tf import progress
from prodcls_tf.settings import Settings

def go(step, seconds):
    def listen(event):
        if event.task.split(" ")[-1] == step and not event.done:
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
    with progress.listening(listen):
        run(Settings.load(sys.argv[1]), {"all": [Path(sys.argv[2])]}, Path(sys.argv[3]))

for line in sys.stdin:
    step, seconds = line.split()
    child = os.fork()
    if child == 0:
        sys.stdin.close()
        code = 1
        try:
            go(step, float(seconds))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    print("ENDED", os.waitstatus_to_exitcode(status), flush=True)
"""


class Forks:
    """Asks `_FORKS` for runs."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        settings = folder / "settings.yaml"
        settings.write_text(shop.settings().to_yaml())
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKS, str(settings), str(shop.products), str(shop.out)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=(folder / "stderr").open("w"),
        )  # fmt: skip

    def run(self, step: str = "-", seconds: float = 0.0) -> int:
        """Runs the pipeline, killed so many seconds into a step; returns the exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{step} {seconds}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("ENDED "):
                return int(line.split()[1])
        raise AssertionError("the process that forks has ended")

    def close(self) -> None:
        self._process.kill()
        self._process.wait(30)


def steps_of(shop: Shop) -> dict[str, float]:
    """The seconds that each step took in the run that ended."""
    return json.loads(OutFolder(shop.out).summary.read_text())["seconds"]


def live_without_files(shop: Shop) -> list[str]:
    """Artifacts that ML Metadata calls LIVE and that are not there."""
    store = mlmd.MetadataStore(sqlite_metadata_connection_config(str(OutFolder(shop.out).metadata)))
    live = metadata_store_pb2.Artifact.LIVE
    return [
        artifact.uri
        for artifact in store.get_artifacts()
        if artifact.state == live and not Path(artifact.uri).exists()
    ]


@pytest.fixture(scope="module")
def killed_everywhere(shop, tmp_path_factory):
    """A shop whose pipeline was killed in each step, and what was seen after each kill."""
    folder = tmp_path_factory.mktemp("recovery")
    own = Shop(folder / "products.csv", shop.encoder, folder / "out")
    write_products(own.products, 160)
    forks = Forks(own, folder)
    with contextlib.closing(forks):
        assert forks.run() == 0, (folder / "stderr").read_text()[-2000:]
        seconds = steps_of(own)
        # Other products: every step has to run again.
        write_products(own.products, 140)
        seen = {}
        for step in seconds:
            code = forks.run(step, seconds[step] / 2)
            seen[step] = (code, live_without_files(own))
        ended = forks.run()
    return own, seen, ended


def test_a_kill_in_any_step_leaves_no_artifact_without_files(killed_everywhere):
    _, seen, _ = killed_everywhere
    assert {step: lost for step, (_, lost) in seen.items() if lost} == {}
    assert list(seen.values()).count((-signal.SIGKILL, [])) >= len(seen) - 1


def test_rerun_after_the_kills_ends_and_repeats_no_finished_step(killed_everywhere):
    shop, seen, ended = killed_everywhere
    assert ended == 0
    summary = json.loads(OutFolder(shop.out).summary.read_text())
    assert summary["pushed"]
    # The last kill was in the last step; all before it had ended in one of the former tries.
    assert set(list(seen)[:-1]) <= set(summary["cached"])


def test_only_whole_versions_are_left_in_the_serving_folder(killed_everywhere):
    shop, _, _ = killed_everywhere
    folders = list((shop.out / "serving" / "prodcls").iterdir())
    assert all(folder.name.isdigit() for folder in folders)
    assert all(check_manifest(folder) for folder in folders)
