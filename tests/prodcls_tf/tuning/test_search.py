"""A search with real trainings of a tiny BERT, each in a process of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from prodcls_tf.errors import InputError, TrainingError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.search import Search, search
from prodcls_tf.tuning.trials import DEFAULTS, OutOfTimeError, Trials
from tests.tiny import tiny_rows, tiny_settings, write_tiny_encoder

TRAIN, VAL = tiny_rows(90), tiny_rows(45, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    encoder = write_tiny_encoder(tmp_path_factory.mktemp("tiny") / "encoder")
    return tiny_settings(
        encoder, "tuning.algorithm=random", "tuning.trials=2", "tuning.space.training.epochs=[1, 2]"
    )


def run(settings: Settings, folder: Path) -> Search:
    return search(settings, TRAIN, VAL, folder / "state", folder / "logs")


def written(folder: Path) -> dict[str, int]:
    results = (folder / "state/trials").glob("*/result.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in results}


@pytest.fixture(scope="module")
def found(settings, folder) -> Search:
    return run(settings, folder)


def test_the_settings_as_they_are_come_first(found):
    assert [tried.number for tried in found.trials] == [DEFAULTS, "0", "1"]
    assert found.trials[0].values == {}


def test_every_trial_has_the_figures_of_the_validation_rows(found):
    for tried in found.trials:
        assert tried.result.status == "finished", tried.result.reason
        assert set(tried.result.metrics) == {
            "accuracy", "macro_f1", "weighted_f1", "top3_accuracy"
        }  # fmt: skip
        assert len(tried.result.curve) == tried.values.get("training.epochs", 1)


def test_the_best_is_better_than_the_settings_as_they_are_or_none(found):
    scores = [tried.result.metrics["macro_f1"] for tried in found.trials]
    best = max(scores)
    assert found.best == ({} if best == scores[0] else found.trials[scores.index(best)].values)


def test_hparams_are_in_the_logs_of_every_trial(found, folder):
    for tried in found.trials:
        events = EventAccumulator(str(folder / "logs" / tried.number))
        events.Reload()
        assert events.PluginTagToContent("hparams")
        assert "trial/macro_f1" in events.Tags()["tensors"]


def test_a_second_search_trains_nothing_anew(found, settings, folder):
    before = written(folder)
    assert run(settings, folder) == found
    assert written(folder) == before


def test_a_search_whose_state_was_torn_by_a_kill_keeps_the_finished_trials(found, settings, folder):
    before = written(folder)
    (state,) = (folder / "state").glob("oracle-*")
    (state / "oracle.json").write_text('{"ongoing_tri', encoding="utf-8")
    assert run(settings, folder) == found
    assert written(folder) == before


def test_the_same_seed_tries_the_same_values(found, settings, folder):
    (state,) = (folder / "state").glob("oracle-*")
    shutil.rmtree(state)
    again = run(settings, folder)
    assert [tried.values for tried in again.trials] == [tried.values for tried in found.trials]


def test_a_trial_that_fails_says_why(found, settings, folder):
    hot = {"training.learning_rate": 1e30, "training.clip_norm": 0.0, "training.epochs": 2}
    trials = Trials(folder / "state", folder / "logs", settings, digest="other rows")
    result = trials.run("7", hot, seconds=300)
    assert result.status == "failed"
    assert "The loss must stay a finite number" in result.reason


def test_a_trial_is_stopped_when_its_time_is_over(found, settings, folder):
    trials = Trials(folder / "state", folder / "logs", settings, digest="other rows")
    with pytest.raises(OutOfTimeError):
        trials.run("8", {}, seconds=0.5)
    assert "8" not in trials.results()


def test_settings_that_cannot_be_trained_are_refused(settings, tmp_path):
    broken = settings.with_values({"training.learning_rate": 1e30, "training.clip_norm": 0.0})
    with pytest.raises(TrainingError, match="The settings as they are"):
        run(broken, tmp_path)


def test_rows_without_a_category_are_refused(settings, tmp_path):
    rows = {"title": ["a"], "category": [""]}
    with pytest.raises(InputError, match="category"):
        search(settings, rows, VAL, tmp_path / "state", tmp_path / "logs")
