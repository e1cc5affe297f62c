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

from .conftest import ROOT, STEPS, Shop, write_products

pytestmark = pytest.mark.slow

# Loads everything once. For each step named on its input it forks a process that runs the pipeline
# and is killed so many seconds after that step has got its folders; `-` stands for none. It
# prints how each process ended.
_FORKS = """
import os, signal, sys, threading, time, traceback
from pathlib import Path
import pipeline.collecting, pipeline.pipeline, pipeline.pushing, pipeline.trainer_fn
import pipeline.transform_fn
from pipeline.runner import run
from prodcls_tf import progress
from prodcls_tf.settings import Settings

settings, products, out = map(Path, sys.argv[1:])

def folders(step):
    return set(Path(out, "pipeline", step).glob("[a-z]*/*"))

def kill(step, seconds, before):
    while folders(step) == before:
        time.sleep(0.01)
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)

def go(step, seconds):
    def listen(event):
        if event.task.split(" ")[-1] == step and not event.done:
            arguments = (step, seconds, folders(step))
            threading.Thread(target=kill, args=arguments, daemon=True).start()
    with progress.listening(listen):
        run(Settings.load(settings), {"all": [products]}, out)

for line in sys.stdin:
    step, seconds = line.split()
    child = os.fork()
    if child == 0:
        sys.stdin.close()
        code = 1
        try:
            go(step, float(seconds))
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    print("ENDED", os.waitstatus_to_exitcode(status), flush=True)
"""


# Seconds after which those that take longest are in the middle of their work.
LATE = {
    "ProductExampleGen": 0.5,
    "StatisticsGen": 1.0,
    "Transform": 3.0,
    "Trainer": 3.0,
    "Evaluator": 1.0,
    "Canary": 1.0,
}


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
        seen = {}
        for step in STEPS:
            code = forks.run(step, LATE.get(step, 0.0))
            seen[step] = (code, live_without_files(own))
        assert forks.run() == 0, (folder / "stderr").read_text()[-2000:]
    return own, seen


def test_a_kill_in_any_step_leaves_no_artifact_without_files(killed_everywhere):
    _, seen = killed_everywhere
    assert {step: lost for step, (_, lost) in seen.items() if lost} == {}
    assert list(seen.values()).count((-signal.SIGKILL, [])) >= len(seen) - 1


def test_rerun_after_the_kills_ends_and_repeats_no_finished_step(killed_everywhere):
    shop, seen = killed_everywhere
    summary = json.loads(OutFolder(shop.out).summary.read_text())
    assert summary["pushed"]
    # The last kill was in the last step; all before it had ended in one of the former tries.
    assert set(list(seen)[:-1]) <= set(summary["cached"])


def test_only_whole_versions_are_left_in_the_serving_folder(killed_everywhere):
    shop, _ = killed_everywhere
    folders = list((shop.out / "serving" / "prodcls").iterdir())
    assert all(folder.name.isdigit() for folder in folders)
    assert all(check_manifest(folder) for folder in folders)
