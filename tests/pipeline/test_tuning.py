"""Searches in the pipeline: real trials of a tiny BERT; one file, so that each is made once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras_tuner
import pytest
import yaml

import pipeline.runner
from pipeline.history import read_history
from pipeline.out_folder import OutFolder
from pipeline.runner import search
from prodcls_tf import progress
from prodcls_tf.errors import TrainingError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.results import DEFAULTS, Search
from tests.tiny import POOR

from .conftest import Run, Shop, run_in, write_products

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, shop: Shop) -> Shop:
    """A shop with an output folder of its own."""
    folder = tmp_path_factory.mktemp("tuned")
    write_products(folder / "products.csv", 160)
    return Shop(folder / "products.csv", shop.encoder, folder / "out")


@pytest.fixture(scope="module")
def found(store: Shop) -> Search:
    """A search, and no more."""
    return search(store.settings(*POOR), {"all": [store.products]}, store.out)


@pytest.fixture(scope="module")
def tuned(store: Shop, found: Search) -> Run:
    """A run that takes what was found."""
    return run_in(store, *POOR, "tuning.enabled=true")


def trials(store: Shop) -> dict[str, int]:
    """The finished trials of all searches, and when they ended."""
    results = OutFolder(store.out).searches.glob("*/trials/*/result.json")
    return {
        str(path): path.stat().st_mtime_ns
        for path in results
        if json.loads(path.read_text())["status"] == "finished"
    }


def test_a_search_finds_better_settings(found: Search) -> None:
    assert found.number == "0"
    assert found.best["training.learning_rate"] == 0.01
    assert found.best["encoder.max_length"] == 16
    assert {tried.result.status for tried in found.trials} == {"finished"}


def test_the_best_trial_and_the_settings_as_they_are_get_another_seed(found: Search) -> None:
    numbers = [tried.number for tried in found.trials]
    assert numbers == [DEFAULTS, "0", f"{DEFAULTS}-seed1", "0-seed1"]
    assert found.trials[-1].values == {**found.best, "training.seed": 1}
    assert found.gain()[2] == 2


def test_a_search_leaves_its_findings_as_a_settings_file(store: Shop, found: Search) -> None:
    settings = Settings.load(hparams=OutFolder(store.out).hparams)
    assert settings == Settings().with_values(found.best)
    assert Search.model_validate_json(OutFolder(store.out).search.read_text()) == found


def test_the_best_settings_are_an_artifact_that_keras_tuner_reads(
    store: Shop, found: Search
) -> None:
    (path,) = OutFolder(store.out).artifacts.glob("Tuner/best_hyperparameters/*/*.txt")
    values = keras_tuner.HyperParameters.from_config(json.loads(path.read_text())).values
    assert values["training.learning_rate"] == 0.01


def test_a_run_takes_what_was_found_and_trains_with_it(tuned: Run, found: Search) -> None:
    assert tuned.summary.hparams == found.best
    assert tuned.summary.settings["training"]["learning_rate"] == 0.01
    extra = Path(tuned.summary.model or "") / "assets.extra"
    assert yaml.safe_load((extra / "settings.yaml").read_text())["encoder"]["max_length"] == 16


def test_a_run_does_not_search_again(store: Shop, tuned: Run, found: Search) -> None:
    assert "Tuner" not in tuned.summary.seconds
    assert len(trials(store)) == 4


def test_the_logs_of_the_search_outlive_the_training(store: Shop, tuned: Run) -> None:
    logs = OutFolder(store.out).logs
    assert list(logs.glob("train/*.tfevents.*"))
    assert len(list(logs.glob("search/*/*/train/*.tfevents.*"))) == 4


def test_the_model_keeps_its_own_curves_alone(store: Shop, tuned: Run) -> None:
    (kept,) = OutFolder(store.out).artifacts.glob("Trainer/model_run/*")
    assert sorted(path.name for path in kept.iterdir() if path.is_dir()) == ["train", "validation"]


def test_a_listed_run_has_the_settings_that_were_found(store: Shop, tuned: Run) -> None:
    (training,) = read_history(store.out).trainings
    assert training.settings["training"]["learning_rate"] == 0.01


def test_a_search_on_the_same_data_is_spared_though_the_code_is_another(
    store: Shop, tuned: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trials(store)
    monkeypatch.setattr(pipeline.runner, "_code_version", lambda: "0.2.0+newer")
    again = search(store.settings(*POOR), {"all": [store.products]}, store.out)
    assert again.best == tuned.summary.hparams
    assert trials(store) == before


def test_a_search_whose_artifact_is_gone_takes_its_finished_trials(
    store: Shop, found: Search, tmp_path: Path
) -> None:
    copied = Shop(store.products, store.encoder, tmp_path / "out")
    shutil.copytree(OutFolder(store.out).searches, OutFolder(copied.out).searches)
    before = trials(copied)
    again = search(copied.settings(*POOR), {"all": [copied.products]}, copied.out)
    assert again.best == found.best
    assert trials(copied) == before


@pytest.fixture(scope="module")
def failed(store: Shop, found: Search) -> tuple[TrainingError, list[progress.Event]]:
    """How a search ends that cannot succeed, and its progress."""
    broken = store.settings(*POOR).with_values(
        {"training.learning_rate": 1e30, "training.clip_norm": 0.0}
    )
    events: list[progress.Event] = []
    with progress.listening(events.append), pytest.raises(TrainingError) as error:
        search(broken, {"all": [store.products]}, store.out)
    return error.value, events


def test_a_search_that_cannot_succeed_ends_with_its_own_words(
    failed: tuple[TrainingError, list[progress.Event]],
) -> None:
    assert "settings as they are must be ones that can be" in str(failed[0])


def test_progress_names_the_trials(failed: tuple[TrainingError, list[progress.Event]]) -> None:
    assert "trial defaults" in {event.task for event in failed[1]}


def test_a_search_without_time_for_a_trial_names_the_setting(store: Shop, found: Search) -> None:
    short = store.settings(*POOR, "tuning.seed=9", "tuning.max_minutes=0.001")
    with pytest.raises(TrainingError, match="max_minutes"):
        search(short, {"all": [store.products]}, store.out)
