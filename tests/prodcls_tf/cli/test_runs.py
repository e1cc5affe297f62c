"""`prodcls runs` on what is lost or damaged; tests/pipeline/test_runner.py has it on real runs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pipeline.history import History
from pipeline.out_folder import OutFolder
from pipeline.summary import SplitFigures
from pipeline.training import Origin, Training, Version
from prodcls_tf.cli import runs_compared, runs_listed, runs_settings
from prodcls_tf.settings import Settings

from .test_run import FIGURES, make_summary

MADE = Settings().model_dump(mode="json", exclude={"pipeline"})


def make_training(folder: Path, number: int, **changes: object) -> Training:
    """A model that serves."""
    figures = {"test": SplitFigures.model_validate({**FIGURES, "baseline": FIGURES})}
    known = Training(
        out=folder,
        id=number,
        trained=datetime(2026, 11, number, 9, 22, tzinfo=timezone.utc),
        seconds=134.4,
        figures=figures,
        settings=MADE,
        origin=Origin(("products.csv",), "93b803cf2ab7", "0.1.0+f46e44", "40fbc79075e1"),
        blessed=True,
        versions=(Version(folder / "serving" / "prodcls" / "1795598548", True, True),),
    )
    return replace(known, **changes)


def with_setting(section: str, name: str, value: object) -> dict[str, object]:
    return {**MADE, section: {**MADE[section], name: value}}


def as_history(*trainings: Training) -> History:
    return History(trainings[0].out, trainings, (), False, ())


@pytest.fixture
def summarized(tmp_path):
    """An output folder with a summary and nothing else."""
    out = tmp_path / "runs" / "mine"
    out.mkdir(parents=True)
    (out / "summary.json").write_text(make_summary().model_dump_json(), encoding="utf-8")
    return out


def test_summary_alone_still_tells_of_the_last_run(call, summarized):
    done = call("runs", "list", summarized.parent)
    assert done.code == 0, done.err
    assert "0.943" in done.out
    assert "1 min 12 s" in done.out
    assert "metadata.sqlite, which is missing" in done.err


def test_damaged_metadata_is_told(call, summarized):
    (summarized / "metadata.sqlite").write_text("no database" * 100)
    done = call("runs", "show", summarized)
    assert done.code == 0, done.err
    assert "good enough" in done.out
    assert "must be a SQLite file of ML Metadata" in done.err
    assert (summarized / "metadata.sqlite").read_text() == "no database" * 100


def test_damaged_summary_is_told_and_there_is_no_run(call, summarized):
    (summarized / "summary.json").write_text('{"splits": 3}')
    listed = call("runs", "list", summarized)
    assert (listed.code, "No model has been trained" in listed.out) == (0, True)
    assert "summary.json is damaged" in listed.err
    shown = call("runs", "show", summarized)
    assert shown.code == 2
    assert "summary.json is damaged" in shown.err


def test_reading_makes_no_file(call, summarized):
    (summarized / "metadata.sqlite").touch()
    before = sorted(summarized.rglob("*"))
    assert call("runs", "list", summarized).code == 0
    assert sorted(summarized.rglob("*")) == before
    assert (summarized / "metadata.sqlite").stat().st_size == 0


def test_first_run_that_has_just_begun_is_no_damage(call, tmp_path):
    (tmp_path / "metadata.sqlite").touch()
    with OutFolder(tmp_path).held():
        done = call("runs", "list", tmp_path)
    assert done.code == 0
    assert "nothing to read yet" in done.err
    assert "a run is at work in it" in done.err
    assert "damaged" not in done.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "is no run. `prodcls runs list`"),
        ("runs", "Name one of its output folders: runs/mine"),
        ("nowhere:6", "is no run"),
        ("runs/mine:", "is no run"),
        ("runs/mine:six", "is no run"),
        ("runs/mine:-1", "is no run"),
        ("runs/mine:²", "is no run"),
        ("runs/mine:6", "Received runs/mine:6"),
        ("", "is no run"),
    ],
)
def test_name_of_no_run_is_refused(call, summarized, monkeypatch, name, message):
    monkeypatch.chdir(summarized.parent.parent)
    done = call("runs", "show", name)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize("folder", ["nowhere", "empty", "file"])
def test_folder_without_runs_is_refused(call, tmp_path, folder):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    done = call("runs", "list", tmp_path / folder)
    assert done.code == 2
    assert "prodcls demo" in done.err


@pytest.mark.parametrize("count", [1, 2])
def test_comparison_wants_two_different_runs(call, summarized, count):
    done = call("runs", "compare", *[summarized] * count)
    assert done.code == 2
    assert "two runs or more" in done.err


def test_colon_in_a_folder_is_no_id(call, summarized):
    folder = summarized.rename(summarized.with_name("at:6"))
    assert call("runs", "show", folder).code == 0


def test_json_says_what_is_missing(call, summarized):
    values = json.loads(call("runs", "list", summarized, "--json").out)
    (run,) = values["runs"]
    assert run["splits"]["test"]["accuracy"] == 0.943
    assert run["id"] is run["trained"] is None
    assert run["missing"]
    assert "which is missing" in values["problems"][0]


@pytest.mark.parametrize("width", [80, 120])
def test_list_fits_its_width_and_keeps_figures_whole(call, capsys, monkeypatch, tmp_path, width):
    monkeypatch.setenv("COLUMNS", str(width))
    runs_listed.show_list([as_history(make_training(tmp_path / "shop", 6))])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    assert "0.943" in shown
    assert "serves" in shown
    assert "\x1b" not in shown


def test_list_shows_only_the_settings_that_differ(call, capsys, tmp_path):
    other = make_training(tmp_path, 7, settings=with_setting("training", "epochs", 3))
    runs_listed.show_list([as_history(make_training(tmp_path, 6), other)])
    shown = capsys.readouterr().out
    assert "training.epochs=3" in shown
    assert "training.epochs=auto" in shown
    assert "training.seed" not in shown


def test_other_product_files_are_a_difference(tmp_path):
    other = make_training(tmp_path, 7, origin=Origin(("products.csv",), "other"))
    assert "files" in runs_settings.differing([make_training(tmp_path, 6), other])


def test_lost_settings_are_no_difference(tmp_path):
    other = make_training(tmp_path, 7, settings={}, origin=Origin())
    assert runs_settings.differing([make_training(tmp_path, 6), other]) == []


def test_setting_that_an_older_version_lacks_is_a_difference(tmp_path):
    older = {**MADE, "wide": {k: v for k, v in MADE["wide"].items() if k != "rank"}}
    trainings = [make_training(tmp_path, 6), make_training(tmp_path, 7, settings=older)]
    assert runs_settings.differing(trainings) == ["wide.rank"]


def test_settings_are_written_as_they_are_typed(tmp_path):
    settings = with_setting("training", "learning_rate", 2e-5)
    written = runs_settings.settings_of(make_training(tmp_path, 6, settings=settings))
    assert written["training.learning_rate"] == "2e-05"
    assert written["data.text"] == "[title]"
    assert written["data.separator"] == "' > '"
    assert written["training.clip_norm"] == "1"
    assert written["head.probe"] == "true"


@pytest.mark.parametrize(
    ("there", "serves", "blessed", "shown"),
    [
        (True, True, True, "17 serves"),
        (True, False, True, "17"),
        (True, True, False, "17 serves, not blessed since"),
        (False, False, True, "17 deleted"),
    ],
)
def test_fate_of_a_pushed_model(tmp_path, there, serves, blessed, shown):
    versions = (Version(tmp_path / "17", there, serves),)
    training = make_training(tmp_path, 6, versions=versions, blessed=blessed)
    assert str(runs_listed.fate(training)) == shown


def test_run_that_is_not_pushed_says_why(tmp_path):
    training = make_training(tmp_path, 6, versions=(), blessed=False)
    assert str(runs_listed.fate(training)) == "no, not blessed"


def test_comparison_of_lost_figures_leaves_them_out(call, capsys, tmp_path):
    lost = make_training(tmp_path, 7, figures={}, missing=("the figures",))
    runs_compared.show_comparison([make_training(tmp_path, 6), lost])
    shown = capsys.readouterr()
    (accuracy,) = [line for line in shown.out.splitlines() if line.startswith("  accuracy")]
    assert accuracy.split() == ["accuracy", "0.943", "-"]
    assert "no F1 by category" in shown.err
    assert "not known: the figures" in shown.err


def test_comparison_on_other_rows_says_so(call, capsys, tmp_path):
    other = make_training(tmp_path, 7, origin=Origin(("products.csv",), "other"))
    runs_compared.show_comparison([make_training(tmp_path, 6), other])
    assert "the held-out rows are not the same" in " ".join(capsys.readouterr().err.split())


def test_comparison_takes_more_runs_than_letters(call, capsys, tmp_path):
    runs_compared.show_comparison([make_training(tmp_path, 1 + n % 28) for n in range(28)])
    assert "#28" in capsys.readouterr().out


def test_category_of_one_run_alone_is_no_difference(call, capsys, monkeypatch, tmp_path):
    reports = {6: {"Audio": 0.8, "Home": 0.5}, 7: {"Audio": 0.9, "Garden": 1.0}}
    monkeypatch.setattr(runs_compared, "category_f1", lambda training: reports[training.id])
    runs_compared.show_comparison([make_training(tmp_path, 6), make_training(tmp_path, 7)])
    shown = capsys.readouterr().out
    assert "0.900 +0.100" in shown
    assert "Garden" not in shown
    assert "2 categories not in all of them" in shown
