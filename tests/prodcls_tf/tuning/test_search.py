"""A search with real trainings of a tiny BERT, each in a process of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from prodcls_tf.errors import InputError, OutputError, TrainingError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.processes import OutOfTimeError
from prodcls_tf.tuning.results import DEFAULTS, Search
from prodcls_tf.tuning.search import prepare, search
from prodcls_tf.tuning.trials import Trials
from tests.tiny import DEEP, tiny_rows, tiny_settings, write_tiny_encoder

TRAIN, VAL = tiny_rows(90), tiny_rows(45, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    encoder = write_tiny_encoder(tmp_path_factory.mktemp("tiny") / "encoder")
    return tiny_settings(
        encoder,
        DEEP,
        "tuning.algorithm=random",
        "tuning.trials=1",
        "tuning.confirm=0",
        "tuning.min_gain=0",
        "tuning.space.training.epochs=[1, 2]",
        "tuning.space.encoder.max_length=null",
    )


def run(settings: Settings, folder: Path) -> Search:
    return search(settings, TRAIN, VAL, folder / "state", folder / "logs")


def home(folder: Path) -> Path:
    (only,) = (folder / "state").iterdir()
    return only


def written(folder: Path) -> dict[str, int]:
    results = (home(folder) / "trials").glob("*/result.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in results}


@pytest.fixture(scope="module")
def found(settings, folder) -> Search:
    return run(settings, folder)


def test_the_settings_as_they_are_come_first(found):
    assert [tried.number for tried in found.trials] == [DEFAULTS, "0"]
    assert found.trials[0].values == {}


def test_every_trial_has_the_figures_of_the_validation_rows(found):
    for tried in found.trials:
        assert tried.result.status == "finished", tried.result.reason
        assert set(tried.result.metrics) == {
            "accuracy", "macro_f1", "weighted_f1", "top3_accuracy"
        }  # fmt: skip
        assert len(tried.result.course.curve) == tried.values.get("training.epochs", 1)


def test_the_best_is_better_than_the_settings_as_they_are_or_none(found):
    scores = [tried.result.metrics["macro_f1"] for tried in found.trials]
    best = max(scores)
    assert found.best == ({} if best == scores[0] else found.trials[scores.index(best)].values)


def test_hparams_are_in_the_logs_of_every_trial(found, folder):
    for tried in found.trials:
        events = EventAccumulator(str(folder / "logs" / home(folder).name / tried.number))
        events.Reload()
        (content,) = events.PluginTagToContent("hparams").values()
        shown = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        assert shown["training.epochs"].number_value == len(tried.result.course.curve)
        assert 0 < shown["training.learning_rate"].number_value < 0.1
        assert "trial/macro_f1" in events.Tags()["tensors"]


def test_a_second_search_trains_nothing_anew(found, settings, folder):
    before = written(folder)
    assert run(settings, folder) == found
    assert written(folder) == before


def test_a_search_whose_state_was_torn_by_a_kill_keeps_the_finished_trials(found, settings, folder):
    before = written(folder)
    (home(folder) / "oracle/oracle.json").write_text('{"ongoing_tri', encoding="utf-8")
    assert run(settings, folder) == found
    assert written(folder) == before


def test_the_same_seed_tries_the_same_values(found, settings, folder):
    shutil.rmtree(home(folder) / "oracle")
    again = run(settings, folder)
    assert [tried.values for tried in again.trials] == [tried.values for tried in found.trials]


@pytest.fixture
def trials(found, settings, folder, tmp_path) -> Trials:
    """Trials on the same rows, apart from those of the search."""
    shutil.copytree(home(folder) / "rows", tmp_path / "rows")
    return Trials(tmp_path, tmp_path / "logs", settings)


def test_a_trial_that_fails_says_why_and_is_tried_again(trials):
    hot = {"training.learning_rate": 1e30, "training.clip_norm": 0.0, "training.epochs": 2}
    result = trials.run("7", hot, seconds=300)
    assert result.status == "failed"
    assert "The loss must stay a finite number" in result.reason
    with pytest.raises(OutOfTimeError):
        trials.run("7", hot, seconds=0.5)


def test_what_is_wrong_with_the_search_is_no_failure_of_a_trial(settings, tmp_path):
    state = tmp_path / "state"
    tuner = prepare(settings, TRAIN, VAL, state, tmp_path / "logs")
    (home,) = state.iterdir()
    (home / "trials").write_text("where a folder should be", encoding="utf-8")
    with pytest.raises(OutputError, match="folder that can be written"):
        tuner.search()


def test_a_trial_that_is_stopped_leaves_nothing(trials):
    with pytest.raises(OutOfTimeError):
        trials.run("8", {}, seconds=0.5)
    assert trials.results() == {}


def test_a_process_that_ends_without_a_word_has_failed(trials, tmp_path):
    shutil.rmtree(tmp_path / "rows")
    (tmp_path / "trials").mkdir()
    (tmp_path / "rows").write_text("no folder", encoding="utf-8")
    result = trials.run("9", {}, seconds=300)
    assert result.status == "failed"
    assert result.seconds > 0


def test_a_search_without_time_for_the_settings_as_they_are_is_refused(settings, tmp_path):
    tuning = settings.tuning.model_copy(update={"max_minutes": 0.01})
    with pytest.raises(TrainingError, match="tuning.max_minutes of 0.01"):
        run(settings.model_copy(update={"tuning": tuning}), tmp_path)


def test_another_seed_is_another_search_with_results_of_its_own(found, settings, folder, tmp_path):
    shutil.copytree(folder / "state", tmp_path / "state")
    tuning = settings.tuning.model_copy(update={"seed": 5, "max_minutes": 0.01})
    with pytest.raises(TrainingError, match="not even their trial ended"):
        run(settings.model_copy(update={"tuning": tuning}), tmp_path)
    assert len(list((tmp_path / "state").iterdir())) == 2


def test_more_trials_go_on_with_a_search(found, settings, folder, tmp_path):
    for part in ("state", "logs"):
        shutil.copytree(folder / part, tmp_path / part)
    tuning = settings.tuning.model_copy(update={"trials": 2})
    more = run(settings.model_copy(update={"tuning": tuning}), tmp_path)
    assert [tried.number for tried in more.trials] == [DEFAULTS, "0", "1"]
    assert more.trials[:2] == found.trials


def test_a_folder_that_cannot_be_written_is_refused(settings, tmp_path):
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match="folders that can be written"):
        run(settings, tmp_path)


def test_settings_that_cannot_be_trained_are_refused(settings, tmp_path):
    broken = settings.with_values({"training.learning_rate": 1e30, "training.clip_norm": 0.0})
    with pytest.raises(TrainingError, match="The settings as they are"):
        run(broken, tmp_path)


def test_rows_without_a_category_are_refused(settings, tmp_path):
    rows = {"title": ["a"], "category": [""]}
    with pytest.raises(InputError, match="category"):
        search(settings, rows, VAL, tmp_path / "state", tmp_path / "logs")
