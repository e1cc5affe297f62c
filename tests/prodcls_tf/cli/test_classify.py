from __future__ import annotations

import csv
import json

import pandas as pd
import pytest


@pytest.fixture
def answers(tmp_path):
    return tmp_path / "answers.csv"


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_nothing_but_the_answer_is_printed(prodcls, model_folder):
    done = prodcls("classify", "--model", model_folder, "a PAN")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Home > Cookware" in done.stdout


def test_titles_get_categories(call, model_folder):
    done = call("classify", "--model", model_folder, "a PAN", "[bold]headphones", "--top-k", 1)
    assert done.code == 0
    assert done.err == ""
    assert "Home > Cookware" in done.out
    assert "[bold]headphones" in done.out


def test_file_keeps_its_columns_and_gets_categories(call, model_folder, products, answers):
    done = call(
        "classify", "--model", model_folder, "--input", products, "--output", answers, "--top-k", 2
    )
    assert done.code == 0, done.err
    rows = read_csv(answers)
    assert [row["category_1"] for row in rows] == [
        "Home > Cookware",
        "Audio > Headphones",
        "Pets > Cats > 猫粮",
    ]
    assert [row["sku"] for row in rows] == ["007", "008", "009"]
    assert rows[1]["title"] == 'Headphones, over-ear 3"'
    assert list(rows[0])[4:] == ["category_1", "score_1", "category_2", "score_2"]
    assert 0 <= float(rows[0]["score_2"]) < float(rows[0]["score_1"]) <= 1


def test_json_lines_in_json_lines_out(call, model_folder, tmp_path):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    records = [{"title": "pan", "description": None, "tags": ["a", {"b": 1}], "price": 1.50}]
    source.write_text("\n".join(map(json.dumps, records)) + "\n\n", encoding="utf-8")
    done = call("classify", "--model", model_folder, "--input", source, "--output", output)
    assert done.code == 0, done.err
    (answer,) = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    assert {key: answer[key] for key in records[0]} == records[0]
    assert answer["categories"][0]["category"] == "Home > Cookware"
    assert sum(entry["score"] for entry in answer["categories"]) == pytest.approx(1.0, abs=1e-4)


def test_parquet_in_csv_out(call, model_folder, tmp_path, answers):
    source = tmp_path / "in.parquet"
    table = {"title": ["pan", "猫"], "description": ["", None], "stock": [3, 4], "t": [[1], []]}
    pd.DataFrame(table).to_parquet(source)
    done = call("classify", "--model", model_folder, "--input", source, "--output", answers)
    assert done.code == 0, done.err
    rows = read_csv(answers)
    assert [(row["stock"], row["category_1"]) for row in rows] == [
        ("3", "Home > Cookware"),
        ("4", "Pets > Cats > 猫粮"),
    ]


def test_semicolons_and_other_column_names(call, model_folder, tmp_path, answers):
    source = tmp_path / "in.csv"
    source.write_text("id;Name;Text\n1;pan, large;x\n", encoding="utf-8")
    columns = ("--text", "Name", "--text", "Text")
    done = call(
        "classify", "--model", model_folder, "--input", source, "--output", answers, *columns
    )
    assert done.code == 0, done.err
    (row,) = read_csv(answers)
    assert (row["Name"], row["category_1"]) == ("pan, large", "Home > Cookware")


def test_large_file_streams_in_order(call, model_folder, tmp_path, answers):
    source = tmp_path / "in.csv"
    titles = [f"{number} {'pan' if number % 3 else '猫'}" for number in range(3_000)]
    lines = "".join(f"{title},\n" for title in titles)
    source.write_text(f"title,description\n{lines}", encoding="utf-8")
    done = call("classify", "--model", model_folder, "--input", source, "--output", answers)
    assert done.code == 0, done.err
    rows = read_csv(answers)
    assert [row["title"] for row in rows] == titles
    right = ["Home > Cookware" if number % 3 else "Pets > Cats > 猫粮" for number in range(3_000)]
    assert [row["category_1"] for row in rows] == right


def test_rows_without_text_are_counted(call, model_folder, tmp_path, answers):
    source = tmp_path / "in.csv"
    source.write_text("title,description\npan,\n , \n", encoding="utf-8")
    done = call("classify", "--model", model_folder, "--input", source, "--output", answers)
    assert done.code == 0
    assert "1 row without text" in done.err


def test_bad_row_is_named_and_nothing_is_left_behind(call, model_folder, tmp_path, answers):
    source = tmp_path / "in.csv"
    source.write_text("title,description\npan,\npan,a,b\n", encoding="utf-8")
    done = call("classify", "--model", model_folder, "--input", source, "--output", answers)
    assert done.code == 2
    assert f"{source}:3" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name either titles, or files"),
        (("a title", "--input", "x.csv"), "Name either titles, or files"),
        (("--input", "products.csv"), "Name either titles, or files"),
        (("--input", "products.csv", "--output", "no/such/a.csv"), "mkdir -p"),
        (("--input", "products.csv", "--output", "products.csv"), "must not be an input"),
        (("--input", "products.csv", "--output", "a.xlsx"), "must end in one of"),
        (("--input", "none.csv", "--output", "a.csv"), "must exist"),
        (("--input", "products.csv", "--output", "a.csv", "--text", "title"), "takes 2 text"),
        (("--input", "products.csv", "--output", "a.csv", "--top-k", "9"), "at most 3"),
        (
            ("--input", "products.csv", "--output", "a.csv", "--text", "nix", "--text", "title"),
            "'nix' is missing",
        ),
    ],
)
def test_bad_calls_get_a_clear_message(
    call, monkeypatch, model_folder, products, arguments, message
):
    before = products.read_bytes()
    monkeypatch.chdir(products.parent)
    done = call("classify", "--model", model_folder, *arguments)
    assert done.code == 2
    assert message in done.err
    assert products.read_bytes() == before
    assert [path.name for path in products.parent.iterdir()] == ["products.csv"]


def test_missing_model_is_named(call, tmp_path):
    done = call("classify", "--model", tmp_path / "none", "a title")
    assert done.code == 2
    assert "A model must be a folder" in done.err
