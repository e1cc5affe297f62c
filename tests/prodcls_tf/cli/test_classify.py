from __future__ import annotations

import csv
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
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


def read_cells(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_columns_without_a_name_of_their_own_are_carried_by_position(
    call, model_folder, tmp_path, answers
):
    source = tmp_path / "in.csv"
    source.write_text("title,price,description,price,,\npan,1,large,2,3,4\n", encoding="utf-8")
    done = call("classify", "--model", model_folder, "--input", source, "--output", answers)
    assert done.code == 0, done.err
    header, row = read_cells(answers)
    assert header[:6] == ["title", "price", "description", "price", "", ""]
    assert row[:7] == ["pan", "1", "large", "2", "3", "4", "Home > Cookware"]


def test_second_file_may_have_its_columns_in_another_order(call, model_folder, tmp_path, answers):
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text("title,description,,n,\npan,a,1,2,3\n", encoding="utf-8")
    second.write_text(",,description,title\n1,3,b,pan\n", encoding="utf-8")
    done = call(
        "classify", "--model", model_folder, "--input", first, "--input", second,
        "--output", answers,
    )  # fmt: skip
    assert done.code == 0, done.err
    rows = read_cells(answers)
    assert [row[:5] for row in rows[1:]] == [
        ["pan", "a", "1", "2", "3"],
        ["pan", "b", "1", "", "3"],
    ]


def test_parquet_columns_of_one_name_are_carried(call, model_folder, tmp_path, answers):
    source = tmp_path / "in.parquet"
    columns = [pa.array(["pan"]), pa.array([""]), pa.array([1]), pa.array([2])]
    names = ["title", "description", "n", "n"]
    pq.write_table(pa.Table.from_arrays(columns, names=names), source)
    done = call("classify", "--model", model_folder, "--input", source, "--output", answers)
    assert done.code == 0, done.err
    header, row = read_cells(answers)
    assert (header[:4], row[:4]) == (names, ["pan", "", "1", "2"])


def test_parquet_column_that_cannot_be_carried_is_refused(call, model_folder, tmp_path, answers):
    source = tmp_path / "in.parquet"
    broken = pa.array([b"\xff"]).view(pa.string())
    columns = {"title": ["pan"], "description": [""], "note": broken}
    pq.write_table(pa.table(columns), source)
    done = call("classify", "--model", model_folder, "--input", source, "--output", answers)
    assert done.code == 2
    assert "Write the file again without the columns" in done.err


def test_columns_of_one_name_are_refused_for_json_lines(call, model_folder, tmp_path):
    source, output = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_text("title,description,,\npan,,1,2\n", encoding="utf-8")
    done = call("classify", "--model", model_folder, "--input", source, "--output", output)
    assert done.code == 2
    assert "Received several named ''. Write CSV instead" in done.err
    assert not output.exists()


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_half_a_surrogate_pair_in_any_column_is_replaced(call, model_folder, tmp_path, name):
    source, output = tmp_path / "in.jsonl", tmp_path / name
    source.write_text(
        '{"title": "pan \\ud83d", "description": "", "x": "a\\ud83d"}\n', encoding="utf-8"
    )
    done = call("classify", "--model", model_folder, "--input", source, "--output", output)
    assert done.code == 0, done.err
    written = output.read_text(encoding="utf-8")
    assert "pan \ufffd" in written
    assert "a\ufffd" in written


def test_json_values_beyond_the_usual_are_carried(call, model_folder, tmp_path):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    digits = "1" * 5_000
    source.write_text(f'{{}}\n{{"title":"pan","description":"","n":{digits}}}\n', encoding="utf-8")
    done = call("classify", "--model", model_folder, "--input", source, "--output", output)
    assert done.code == 0, done.err
    empty, full = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    assert list(empty) == ["categories"]
    assert full["n"] == digits


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


def test_texts_are_cleaned_for_the_model_and_carried_as_they_are(
    call, model_folder, tmp_path, answers
):
    source = tmp_path / "in.csv"
    source.write_text("title,description\n<b>p</b>an &amp; lid,\n", encoding="utf-8")
    done = call("classify", "--model", model_folder, "--input", source, "--output", answers)
    assert done.code == 0, done.err
    (row,) = read_csv(answers)
    assert (row["title"], row["category_1"]) == ("<b>p</b>an &amp; lid", "Home > Cookware")
    plain = tmp_path / "plain.csv"
    plain.write_text("title,description\npan & lid,\n", encoding="utf-8")
    call("classify", "--model", model_folder, "--input", plain, "--output", tmp_path / "b.csv")
    assert read_csv(tmp_path / "b.csv")[0]["score_1"] == row["score_1"]


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
        (("--input", "*.csv", "--output", "products.csv"), "must not be an input"),
        (("--input", ".", "--output", "products.csv"), "must not be an input"),
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
