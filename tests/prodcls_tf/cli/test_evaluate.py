from __future__ import annotations

import csv
import json

import pytest


@pytest.fixture
def labelled(tmp_path):
    file = tmp_path / "labelled.csv"
    file.write_text(
        "title,description,category\n"
        "pan,,Home > Cookware\n"
        "pan,large,Home  >  Cookware\n"
        "headphones,,Audio > Headphones\n"
        "a pan by mistake,,Audio > Headphones\n"
        "gnome,,Garden > Gnomes\n"
        "nothing,,\n",
        encoding="utf-8",
    )
    return file


def test_report_has_all_figures_worst_first(call, model_folder, labelled):
    done = call("evaluate", "--model", model_folder, labelled)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    audio = next(number for number, line in enumerate(lines) if "Audio" in line)
    cookware = next(number for number, line in enumerate(lines) if "Cookware" in line)
    assert audio < cookware
    figures = {" ".join(line.split()[:-1]): line.split()[-1] for line in lines[-4:]}
    assert figures["accuracy"] == "0.750"
    assert figures["macro-F1"] == "0.733"
    assert figures["top-3 accuracy"] == "1.000"


def test_rows_that_cannot_be_measured_are_counted(call, model_folder, labelled):
    done = call("evaluate", "--model", model_folder, labelled)
    text = " ".join(done.err.split())
    assert "1 row left out: no category" in text
    assert "1 row left out: the model does not know 1 category" in text
    assert "Garden > Gnomes (1)" in text
    assert "the accuracy is 0.600" in text


def test_report_as_csv(call, model_folder, labelled, tmp_path):
    report = tmp_path / "report.csv"
    done = call("evaluate", "--model", model_folder, labelled, "--output", report)
    assert done.code == 0, done.err
    with report.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["category"] for row in rows] == ["Audio > Headphones", "Home > Cookware"]
    assert float(rows[0]["recall"]) == 0.5


def test_report_as_json(call, model_folder, labelled, tmp_path):
    report = tmp_path / "report.json"
    done = call("evaluate", "--model", model_folder, labelled, "--output", report)
    assert done.code == 0, done.err
    values = json.loads(report.read_text(encoding="utf-8"))
    assert (values["rows"], values["accuracy"]) == (4, 0.75)
    assert values["unknown_categories"] == {"Garden > Gnomes": 1}
    assert len(values["categories"]) == 2


def test_other_label_column(call, model_folder, tmp_path):
    file = tmp_path / "labelled.csv"
    file.write_text("title,description,Kategorie\npan,,Home > Cookware\n", encoding="utf-8")
    done = call("evaluate", "--model", model_folder, file, "--label", "Kategorie")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title,description\npan,\n", "'category' is missing"),
        ("title,description,category\npan,,Elsewhere\n", "Elsewhere"),
        ("title,description,category\n", "at least one row"),
    ],
)
def test_files_without_use_are_refused(call, model_folder, tmp_path, text, message):
    file = tmp_path / "labelled.csv"
    file.write_text(text, encoding="utf-8")
    done = call("evaluate", "--model", model_folder, file)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("no/such/report.csv", "mkdir -p"),
        ("report.xlsx", "must end in one of .csv, .json"),
        ("folder.csv", "which is a folder"),
        ("labelled.csv", "must not be an input"),
    ],
)
def test_report_that_cannot_be_written_is_refused_before_the_model_is_loaded(
    call, monkeypatch, labelled, output, message
):
    monkeypatch.chdir(labelled.parent)
    (labelled.parent / "folder.csv").mkdir()
    done = call("evaluate", "--model", "no/model", labelled, "--output", output)
    assert done.code == 2
    assert message in done.err
