"""What a training tells Weights & Biases: the real package, offline, and its file read back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from prodcls_tf import ProductClassifier
from prodcls_tf.errors import InputError, OutputError, SettingsError, TrackingError
from prodcls_tf.settings import Settings
from prodcls_tf.training.wandb_run import tracked_by_wandb
from prodcls_tf.tuning.rows import SearchRows
from prodcls_tf.tuning.trials import Trials
from tests.tiny import DEEP, tiny_rows, tiny_settings

ROOT = Path(__file__).parents[3]
OFFLINE = ("wandb.project=shop", "wandb.mode=offline")
STEPS = {"loss", "learning_rate", "gradient_norm", "examples_per_second", "input_wait_share"}


@dataclass
class Told:
    """What the file of an offline run says."""

    run: Any = None
    config: dict[str, Any] = field(default_factory=dict)
    points: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    def curve(self, axis: str) -> dict[int, dict[str, float]]:
        """The figures over epochs or steps."""
        return {
            point[axis]: {
                name.partition("/")[2]: value
                for name, value in point.items()
                if name.startswith(f"{axis}/")
            }
            for point in self.points
            if axis in point
        }


def read(log_dir: Path) -> Told:
    """Reads an offline run; wandb's own process may still be writing its last lines."""
    end = time.monotonic() + 30
    while (told := scan(log_dir)).exit_code is None:
        assert time.monotonic() < end, "the run was not closed"
        time.sleep(0.1)
    return told


def scan(log_dir: Path) -> Told:
    from wandb.proto import wandb_internal_pb2
    from wandb.sdk.internal.datastore import DataStore

    (file,) = log_dir.glob("wandb/offline-run-*/*.wandb")
    store, told = DataStore(), Told()
    store.open_for_scan(str(file))
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.HasField("run"):
            told.run = record.run
            told.config = {u.key: json.loads(u.value_json) for u in record.run.config.update}
        elif record.HasField("history"):
            told.points.append(values(record.history.item))
        elif record.HasField("summary"):
            told.summary.update(values(record.summary.update))
        elif record.HasField("exit"):
            told.exit_code = record.exit.exit_code
    return told


def values(items: Any) -> dict[str, Any]:
    return {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


def quick(*overrides: str) -> Settings:
    return Settings.load(overrides=[*OFFLINE, *overrides])


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def trained(tiny_encoder, logs):
    """A training of two epochs with four steps each."""
    settings = tiny_settings(tiny_encoder, "training.epochs=2", *OFFLINE)
    return ProductClassifier(settings).fit(tiny_rows(120), tiny_rows(30, seed=3), log_dir=logs)


@pytest.fixture(scope="module")
def told(trained, logs) -> Told:
    return read(logs)


def test_config_has_the_settings_that_the_weights_depend_on(told, tiny_encoder):
    wanted = tiny_settings(tiny_encoder, "training.epochs=2").model_dump(mode="json")
    sections = {name: value for name, value in told.config.items() if name != "_wandb"}
    assert sections.keys() == {"data", "encoder", "head", "wide", "training"}
    assert sections == {name: wanted[name] for name in sections}


def test_each_epoch_has_the_figures_of_the_history(told, trained):
    curve = told.curve("epoch")
    assert list(curve) == [1, 2]
    for figures, wanted in zip(curve.values(), trained.history, strict=True):
        assert figures == pytest.approx(wanted)


def test_steps_have_the_curves_that_tensorboard_has(told):
    curve = told.curve("step")
    assert list(curve) == [4, 8]
    assert all(figures.keys() == STEPS for figures in curve.values())


def test_summary_has_the_figures_of_the_finished_model_and_of_the_baseline(told, trained):
    for kind, splits in (("final", trained.metrics), ("baseline", trained.baseline)):
        for split, found in splits.items():
            for name, value in found.headline().items():
                assert told.summary[f"{kind}/{split}/{name}"] == pytest.approx(value)
    assert told.exit_code == 0


@pytest.mark.parametrize("name", ["confusion matrix", "calibration"])
def test_pictures_lie_with_the_run(told, logs, name):
    (picture,) = logs.glob(f"wandb/*/files/{told.summary[f'{name}.path']}")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_neither_product_texts_nor_the_machine_are_told(told, logs):
    assert told.run.host == "-"
    assert not told.run.git.remote_url
    (run,) = (logs / "wandb").iterdir()
    files = [path for path in run.rglob("*") if path.is_file()]
    sent = {path.relative_to(run / "files").parts[0] for path in files if "files" in path.parts}
    assert sent == {"media"}
    content = b"".join(path.read_bytes() for path in files)
    titles = {*tiny_rows(120)["title"], *tiny_rows(30, seed=3)["title"]}
    assert not [title for title in titles if title.encode() in content]
    assert sys.executable.encode() not in content


def test_run_is_quiet_and_leaves_nothing_in_the_working_folder(tmp_path, monkeypatch, capfd):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with tracked_by_wandb(
        quick("wandb.group=autumn", "wandb.name=first"), tmp_path / "logs"
    ) as run:
        run.add_epoch(0, {"loss": 0.5})
        print("theirs")
    assert capfd.readouterr() == ("theirs\n", "")
    assert list(Path.cwd().iterdir()) == []
    found = read(tmp_path / "logs")
    assert (found.run.project, found.run.run_group, found.run.display_name) == (
        "shop", "autumn", "first"
    )  # fmt: skip


def test_training_that_fails_is_a_failed_run(tmp_path):
    with pytest.raises(ValueError, match="lost"), tracked_by_wandb(quick(), tmp_path):
        raise ValueError("lost")
    assert read(tmp_path).exit_code == 1


def test_training_that_is_taken_up_has_all_its_epochs(tiny_encoder, tmp_path):
    settings = tiny_settings(tiny_encoder, "training.epochs=2", DEEP)
    first = ProductClassifier(settings).fit(tiny_rows(60), checkpoint_dir=tmp_path / "checkpoints")
    # With other settings, and yet the same training: these are none that the weights depend on.
    ProductClassifier(tiny_settings(tiny_encoder, "training.epochs=2", DEEP, *OFFLINE)).fit(
        tiny_rows(60), checkpoint_dir=tmp_path / "checkpoints", log_dir=tmp_path / "logs"
    )
    curve = read(tmp_path / "logs").curve("epoch")
    assert list(curve.values()) == [pytest.approx(figures) for figures in first.history]


@pytest.mark.slow
def test_trials_of_a_search_are_runs_of_one_group(tiny_encoder, tmp_path):
    settings = tiny_settings(tiny_encoder, DEEP, *OFFLINE)
    folder, logs = tmp_path / "0123", tmp_path / "logs"
    SearchRows.choose(settings, tiny_rows(60), tiny_rows(30, seed=1)).write(folder / "rows")
    trials = Trials(folder, logs, settings)
    assert trials.run("07", {"training.batch_size": 16}, 300).status == "finished"
    told = read(logs / "07")
    assert (told.run.run_group, told.run.display_name) == ("search 0123", "trial 07")
    assert told.config["training"]["batch_size"] == 16


TRAINING = """
import sys
from pathlib import Path
from prodcls_tf import ProductClassifier
from tests.tiny import DEEP, tiny_rows, tiny_settings, write_tiny_encoder

settings = tiny_settings(write_tiny_encoder(Path({folder!r}, "encoder")), DEEP)
ProductClassifier(settings).fit(tiny_rows(60), log_dir=Path({folder!r}, "logs"))
print([name for name in sys.modules if name.partition(".")[0] in ("wandb", "sentry_sdk")])
"""


@pytest.mark.slow
def test_nothing_is_imported_where_it_is_not_asked_for(fresh_python, tmp_path):
    assert fresh_python(TRAINING.format(folder=str(tmp_path))).splitlines()[-1] == "[]"
    assert not (tmp_path / "logs" / "wandb").exists()


WITHOUT = """
from prodcls_tf.errors import TrackingError
from prodcls_tf.settings import WandbSettings
from prodcls_tf.training.wandb_package import check_wandb

check_wandb(WandbSettings())
try:
    check_wandb(WandbSettings(project="shop", mode="offline"))
except TrackingError as error:
    print(error)
"""


def test_missing_package_is_told_with_the_command_that_installs_it(tmp_path):
    # The installed packages but for wandb.
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith("wandb"):
            (tmp_path / entry.name).symlink_to(entry)
    done = subprocess.run(
        [sys.executable, "-S", "-c", WITHOUT],
        env={"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install 'prodcls[wandb]'" in done.stdout


@pytest.fixture
def no_key(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "NETRC", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_missing_key_is_told_before_any_training(tiny_encoder, tmp_path, no_key):
    settings = tiny_settings(tiny_encoder, "wandb.project=shop")
    with pytest.raises(TrackingError, match="WANDB_API_KEY.*wandb.mode=offline"):
        ProductClassifier(settings).fit(tiny_rows(60), log_dir=tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_missing_key_stops_a_pipeline_before_its_first_step(prodcls, tmp_path, no_key):
    (tmp_path / "rows.csv").write_text("title,category\nacme case,A\n")
    done = prodcls(
        "run", tmp_path / "rows.csv", "--out", tmp_path / "out", "--set", "wandb.project=shop"
    )
    assert done.returncode == 2
    assert "WANDB_API_KEY" in done.stderr
    assert not (tmp_path / "out").exists()


def test_run_without_a_log_folder_is_refused():
    with pytest.raises(InputError, match="log_dir"), tracked_by_wandb(quick(), None):
        pass


def test_log_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"), tracked_by_wandb(quick(), tmp_path / "file"):
        pass


@pytest.mark.parametrize(
    "override", ["wandb.project=a/b", "wandb.mode=maybe", f"wandb.name={'n' * 129}", "wandb.key=1"]
)
def test_settings_that_cannot_be_are_refused(override):
    with pytest.raises(SettingsError, match="wandb"):
        Settings.load(overrides=[override])


def test_project_of_digits_is_taken_as_it_was_typed():
    assert Settings.load(overrides=["wandb.project=2026"]).wandb.project == "2026"


SILENT = """
import logging, os, time
from pathlib import Path
from prodcls_tf.errors import TrackingError
from prodcls_tf.settings import Settings
from prodcls_tf.training import wandb_run
from tests.prodcls_tf.training.wandb_server import FallsSilent

logging.basicConfig(format="%(message)s")
wandb_run._START_PATIENCE = wandb_run._END_PATIENCE = 3.0
server = FallsSilent(silent={silent})
os.environ.update(WANDB_BASE_URL=server.url, WANDB_API_KEY="a" * 40)
began = time.monotonic()
try:
    settings = Settings.load(overrides=["wandb.project=shop"])
    with wandb_run.tracked_by_wandb(settings, Path({folder!r})) as run:
        run.add_epoch(0, {{"loss": 0.5}})
        server.fall_silent()
        run.add_epoch(1, {{"loss": 0.4}})
        began = time.monotonic()
except TrackingError as error:
    print(error)
assert time.monotonic() - began < 20
"""


@pytest.mark.parametrize(
    ("silent", "told"), [(True, "must take the run before a training"), (False, "`wandb sync ")]
)
def test_server_that_does_not_answer_holds_nothing_up(tmp_path, no_key, silent, told):
    code = SILENT.format(silent=silent, folder=str(tmp_path / "logs"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert told in line
