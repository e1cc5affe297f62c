"""`prodcls run` up to the pipeline, and what is printed after it; tests/pipeline runs the whole."""

from __future__ import annotations

import pytest

from pipeline.summary import Summary
from prodcls_tf.cli import result, run
from prodcls_tf.errors import InputError
from prodcls_tf.evaluation.category_changes import CategoryChange, in_order, write_changes
from prodcls_tf.settings import Settings

FIGURES = {
    "rows": 158,
    "accuracy": 0.943,
    "macro_f1": 0.908,
    "weighted_f1": 0.935,
    "top3_accuracy": 0.987,
}


def make_summary(**changes: object) -> Summary:
    before = {**FIGURES, "accuracy": 0.9, "macro_f1": 0.91}
    values = {
        "model": "runs/mine/serving/prodcls/17",
        "pushed": True,
        "reason": "good enough",
        "splits": {"test": {**FIGURES, "baseline": before}},
        "seconds": {"Trainer": 72.4},
        "cached": [],
        "peak_memory_mb": 2048.0,
        "versions": {},
        "settings": {},
    }
    return Summary.model_validate({**values, **changes})


@pytest.mark.parametrize(
    "arguments",
    [(), ("a.csv", "--train", "b.csv"), ("--val", "b.csv"), ("--test", "b.csv")],
)
def test_files_or_a_ready_split_must_be_given(call, arguments):
    done = call("run", *arguments)
    assert done.code == 2
    assert "ready split with --train" in done.err


def test_missing_column_is_told_before_anything_is_loaded(prodcls, products, tmp_path):
    done = prodcls("run", products, "--text", "titel", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "'titel' is missing" in done.stderr
    assert "Did you mean 'title'" in done.stderr


@pytest.mark.parametrize("setting", ["training.epochs=0", "training.nix=1", "epochs"])
def test_wrong_setting_is_refused(call, products, setting):
    assert call("run", products, "--set", setting).code == 2


def test_files_are_sorted_into_sources(products):
    assert run.find_sources([products], None, None, None) == {"all": [products]}
    ready = run.find_sources(None, [products], None, [products])
    assert ready == {"train": [products], "test": [products]}


def test_missing_file_of_a_ready_split_is_named(products, tmp_path):
    with pytest.raises(InputError, match=r"none\.csv"):
        run.find_sources(None, [products], [tmp_path / "none.csv"], None)


def test_result_shows_figures_before_and_after(call, capsys, tmp_path):
    result.show_result(make_summary(), tmp_path)
    shown = capsys.readouterr().out
    assert "158 held-out rows" in shown
    rows = {" ".join(line.split()[:-3]): line.split()[-3:] for line in shown.splitlines()}
    assert rows["accuracy"] == ["0.900", "0.943", "+0.043"]
    assert rows["macro-F1"] == ["0.910", "0.908", "-0.002"]
    assert "pushed  runs/mine/serving/prodcls/17" in shown


def test_result_says_why_nothing_was_pushed(call, capsys, tmp_path):
    reason = "accuracy 0.41 is below evaluation.min_accuracy, 0.50"
    result.show_result(make_summary(pushed=False, model=None, reason=reason), tmp_path)
    assert reason in capsys.readouterr().out


def test_result_tells_what_is_unusual_about_the_rows(call, capsys, tmp_path):
    note = {"kind": "new_column", "feature": "brand", "split": "all", "stops": False}
    summary = make_summary(anomalies=[{**note, "message": "'brand': the column is new"}])
    result.show_result(summary, tmp_path)
    assert "note  'brand': the column is new" in capsys.readouterr().err


def test_result_tells_what_became_of_the_categories(call, capsys, tmp_path):
    changes = [
        CategoryChange(category=f"Up {n}", rows=n, f1_before=0.5, f1_after=0.75)
        for n in range(1, 8)
    ]
    changes += [
        CategoryChange(category="Down", rows=9, f1_before=0.9, f1_after=0.8),
        CategoryChange(category="Same", rows=9, f1_before=0.9, f1_after=0.9),
        CategoryChange(category="Garden", state="new", rows=4, f1_after=0.7),
    ]
    write_changes(tmp_path / "categories.csv", in_order(changes))
    result.show_result(make_summary(), tmp_path)
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines()]
    assert ["Down", "9", "0.900", "0.800", "-0.100"] in lines
    assert ["Up", "7", "7", "0.500", "0.750", "+0.250"] in lines
    assert "Up 2" not in shown
    assert "1 fell, 7 rose, 1 without a difference, 1 new (Garden)" in shown
    assert str(tmp_path / "categories.csv") in shown


def test_first_model_has_no_table_of_categories(call, capsys, tmp_path):
    result.show_result(make_summary(), tmp_path)
    assert "F1 by category" not in capsys.readouterr().out


def test_what_to_type_to_serve_names_the_run_and_its_model(tmp_path):
    settings = Settings.load(overrides=["push.model_name=shoes"])
    out = str(tmp_path / "my shop")
    (_, serve), (_, ask), (_, tensorboard) = run.serving_steps(settings, tmp_path / "my shop")
    assert serve.endswith(f"serve --model '{out}'")
    assert ask.endswith("ask 'a title' --model shoes")
    assert tensorboard.endswith(f"tensorboard --out '{out}'")
