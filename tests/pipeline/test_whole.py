"""A user's whole way, by the command line: run, classify, evaluate, on a slice of the sample."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

import prodcls_tf
from prodcls_tf import ProductClassifier
from serving.saved_model import LocalModel
from tests.tiny import tiny_rows, tiny_settings, write_tiny_encoder

SAMPLE = Path(prodcls_tf.__file__).parent / "sample" / "products.csv"
COLUMNS = ("--text", "title", "--text", "description", "--label", "category")
TEXTS = ["acme case 12", "", "\x00", "手机壳 🙂 ẞ", "cable " * 200, "[SEP] [CLS]", 'lead 13.3" w/']


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def out(encoder, tmp_path_factory, prodcls):
    """The output folder of a run on every third row of the sample, by the command line."""
    folder = tmp_path_factory.mktemp("whole")
    pd.read_csv(SAMPLE, dtype=str).iloc[::3].to_csv(folder / "products.csv", index=False)
    settings = tiny_settings(encoder, "evaluation.min_macro_f1=0.1")
    (folder / "settings.yaml").write_text(settings.to_yaml(), encoding="utf-8")
    config = ("--config", folder / "settings.yaml", "--out", folder / "out")
    done = prodcls("run", folder / "products.csv", *COLUMNS, *config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr
    return folder / "out"


def test_summary_has_what_it_promises(out):
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    figures = {"rows", "accuracy", "macro_f1", "weighted_f1", "top3_accuracy"}
    for split in ("train", "val", "test"):
        assert figures <= summary["splits"][split].keys()
        assert figures <= summary["splits"][split]["baseline"].keys()
    assert {"seconds", "peak_memory_mb", "versions", "settings"} <= summary.keys()
    assert (Path(summary["model"]) / "saved_model.pb").is_file()


def test_titles_are_classified(out, prodcls):
    done = prodcls("classify", "--model", out, "Cordless drill 18V w/ case")
    assert done.returncode == 0
    assert " > " in done.stdout


def test_file_is_classified_row_by_row(out, prodcls, tmp_path):
    source = out.parent / "products.csv"
    done = prodcls("classify", "--model", out, "--input", source, "--output", tmp_path / "a.csv")
    assert done.returncode == 0, done.stderr
    with source.open(newline="") as given, (tmp_path / "a.csv").open(newline="") as got:
        asked, answered = list(csv.DictReader(given)), list(csv.DictReader(got))
    assert [row["title"] for row in answered] == [row["title"] for row in asked]
    assert all(0 < float(row["score_1"]) <= 1 for row in answered)


def test_labelled_file_is_evaluated(out, prodcls):
    done = prodcls("evaluate", "--model", out, out.parent / "products.csv")
    assert done.returncode == 0, done.stderr
    assert "macro-F1" in done.stdout


def test_pushed_model_keras_model_and_classify_agree(encoder, tmp_path, prodcls):
    classifier = ProductClassifier(tiny_settings(encoder))
    classifier.fit(tiny_rows(90))
    classifier.export(tmp_path / "serving" / "1")
    titles = [text for text in TEXTS if text.strip("\x00")]
    pushed = LocalModel(tmp_path / "serving").ask({"title": titles})
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"title": t}) + "\n" for t in titles), encoding="utf-8")
    answers = tmp_path / "answers.jsonl"
    done = prodcls(
        "classify", "--model", tmp_path / "serving", "--input", rows, "--output", answers
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    for keras, saved, line in zip(classifier.predict(titles), pushed, lines, strict=True):
        best = line["categories"][0]
        assert saved[0][0] == keras.category == best["category"]
        assert saved[0][1] == pytest.approx(keras.score, abs=1e-4)
        assert best["score"] == pytest.approx(keras.score, abs=1e-4)
