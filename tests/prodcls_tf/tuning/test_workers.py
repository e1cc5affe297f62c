"""Several workers, and kills in the middle: real processes that train a tiny BERT."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prodcls_tf.errors import SettingsError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.results import DEFAULTS, Course, Result
from prodcls_tf.tuning.search import prepare
from prodcls_tf.tuning.trial import JOB, Job
from prodcls_tf.tuning.workers import gpu_names
from tests.tiny import DEEP, tiny_rows, tiny_settings, write_tiny_encoder

ROOT = Path(__file__).parents[3]

SEARCHING = """
import json, sys
from pathlib import Path
from tests.tiny import tiny_rows  # first: IPython brings another package of that name
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.search import search

folder = Path(sys.argv[1])
settings = Settings.load(folder / "settings.yaml")
found = search(settings, tiny_rows(90), tiny_rows(45, seed=1), folder / "state", folder / "logs")
trials = [[tried.number, tried.result.status] for tried in found.trials]
print(json.dumps({"best": dict(found.best), "number": found.number, "trials": trials}))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    encoder = write_tiny_encoder(tmp_path_factory.mktemp("tiny") / "encoder")
    return tiny_settings(
        encoder,
        DEEP,
        "tuning.algorithm=random",
        "tuning.trials=2",
        "tuning.confirm=0",
        "tuning.space.training.epochs=[1, 2]",
    )


@pytest.fixture
def begun(settings, tmp_path) -> Path:
    """The folder of a search that has the result of the settings as they are, and no more."""
    prepare(settings, tiny_rows(90), tiny_rows(45, seed=1), tmp_path / "state", tmp_path)
    (home,) = (tmp_path / "state").iterdir()
    trial = home / "trials" / DEFAULTS
    trial.mkdir(parents=True)
    job = Job(settings={}, rows="", logs="", number=DEFAULTS, values={})
    (trial / JOB).write_text(job.model_dump_json(), encoding="utf-8")
    figures = ("accuracy", "macro_f1", "weighted_f1", "top3_accuracy")
    course = Course(curve=[0.5], epochs=1)
    Result(status="finished", metrics=dict.fromkeys(figures, 0.5), course=course).write(trial)
    return tmp_path


def start(settings: Settings, folder: Path) -> subprocess.Popen[str]:
    (folder / "settings.yaml").write_text(settings.to_yaml(), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-c", SEARCHING, str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def results(folder: Path) -> dict[str, int]:
    found = (folder / "state").glob("*/trials/*/result.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in found}


def processes_on(folder: Path) -> list[int]:
    """The processes of a search, by their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if any(word.startswith(str(folder / "state")) for word in words):
            found.append(int(entry.name))
    return found


def wait_for(condition, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 200
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_killed_search_leaves_no_process_and_goes_on_with_its_finished_trials(settings, begun):
    settings = settings.with_values({"tuning.trials": 1})
    process = start(settings, begun)
    wait_for(lambda: list((begun / "state").glob("*/trials/0/job.json")), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = results(begun)
    until = time.monotonic() + 30
    while processes_on(begun) and time.monotonic() < until:
        time.sleep(0.1)
    assert processes_on(begun) == []

    found = end(start(settings, begun))
    assert found["trials"] == [[name, "finished"] for name in (DEFAULTS, "0")]
    assert list(before) == [DEFAULTS]
    assert results(begun)[DEFAULTS] == before[DEFAULTS]


def test_two_workers_share_the_trials_and_one_that_is_killed_takes_its_own_up_again(
    settings, begun
):
    process = start(settings.with_values({"tuning.workers": 2}), begun)
    wait_for(lambda: len(list((begun / "state").glob("*/trials/[01]/job.json"))) == 2, process)
    worker = next(
        pid for pid in processes_on(begun)
        if b"prodcls_tf.tuning.worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
        and b"KERASTUNER_TUNER_ID=worker0\0" in Path(f"/proc/{pid}/environ").read_bytes()
    )  # fmt: skip
    os.kill(worker, signal.SIGKILL)
    found = end(process)
    assert found["trials"] == [[name, "finished"] for name in (DEFAULTS, "0", "1")]
    logs = (begun / "state").glob("*/workers/*.log")
    assert {path.stem for path in logs} == {"chief", "worker0", "worker1"}
    assert processes_on(begun) == []


@pytest.mark.parametrize("address", ["127.0.0.1", ":5000", "here:port"])
def test_an_address_without_host_or_port_is_refused(address):
    with pytest.raises(SettingsError, match=r"tuning\.chief"):
        Settings.load(overrides=[f"tuning.chief='{address}'"])


def test_an_address_of_another_machine_is_refused(settings, tmp_path):
    elsewhere = settings.with_values({"tuning.chief": "192.0.2.1:8470"})
    process = start(elsewhere, tmp_path)
    _, err = process.communicate(timeout=300)
    assert process.returncode
    assert "A chief listens at an address of this machine" in err


@pytest.mark.parametrize(
    ("visible", "count", "names"),
    [("", 1, ["0"]), ("", 2, ["0", "1"]), ("3", 1, ["3"]), ("3,5", 2, ["3", "5"]), ("-1", 0, [])],
)
def test_gpus_are_named_as_cuda_knows_them(monkeypatch, visible, count, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_names(count) == names


def test_a_worker_without_an_address_says_what_it_needs(settings, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "prodcls_tf.tuning.worker", str(tmp_path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    assert "A worker needs the folder of a search" in done.stderr
