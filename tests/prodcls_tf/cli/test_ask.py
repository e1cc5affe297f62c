from __future__ import annotations

import gzip
import json

import grpc
import pandas as pd
import pytest

from tests.prodcls_tf.cli.asked_files import names, read_csv, write_products
from tests.serving.answering_server import AnsweringServer
from tests.serving.certificates import Certificates

HEAVY = ("tensorflow", "tensorflow_serving", "tensorflow_text", "transformers", "tfx", "numpy",
         "pandas", "apache_beam", "grpc_health")  # fmt: skip


@pytest.fixture
def server():
    with AnsweringServer().running() as running:
        yield running


@pytest.fixture
def answers(tmp_path):
    return tmp_path / "answers.csv"


@pytest.fixture
def ask(call, server):
    return lambda *arguments: call("ask", "--server", server.address, *arguments)


def test_titles_get_categories(ask):
    done = ask("a PAN", "[bold]headphones", "--top-k", 1)
    assert (done.code, done.err) == (0, "")
    assert "Home > Cookware" in done.out
    assert "[bold]headphones" in done.out
    assert "Pets" not in done.out


def test_title_of_a_model_without_that_field_needs_its_name(ask, server):
    server.fields = ("brand", "name")
    done = ask("pan")
    assert done.code == 2
    assert "brand, name" in done.err
    assert "Home > Cookware" in ask("pan", "--text", "name").out


def test_model_with_one_field_takes_titles_whatever_it_is_called(ask, server):
    server.fields = ("Product_Name",)
    assert "Home > Cookware" in ask("pan").out


def test_file_keeps_its_columns_and_gets_categories(ask, products, answers):
    done = ask("--input", products, "--output", answers, "--top-k", 2)
    assert done.code == 0, done.err
    rows = read_csv(answers)
    assert [row["category_1"] for row in rows] == [
        "Home > Cookware", "Audio > Headphones", "Pets > Cats > 猫粮",
    ]  # fmt: skip
    assert [row["sku"] for row in rows] == ["007", "008", "009"]
    assert list(rows[0])[4:] == ["category_1", "score_1", "category_2", "score_2"]
    assert names(answers.parent) == ["answers.csv", "products.csv"]


def test_output_is_that_of_classify(call, ask, server, model_folder, products, tmp_path):
    from serving.saved_model import LocalModel

    model = LocalModel(model_folder)
    server.answer = model.ask
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    files = ("--input", products, "--output")
    assert call("classify", "--model", model_folder, *files, here).code == 0
    assert ask(*files, there).code == 0
    assert there.read_bytes() == here.read_bytes()


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.gz", "in.csv.gz", "in.parquet", "in.tsv"])
def test_reads_what_classify_reads(ask, tmp_path, name):
    source, output = tmp_path / name, tmp_path / "out.jsonl"
    table = pd.DataFrame({"title": ["pan", "猫"], "description": ["a", "b"], "stock": [3, 4]})
    if "jsonl" in name:
        table.to_json(source, orient="records", lines=True, force_ascii=False)
    elif "parquet" in name:
        table.to_parquet(source)
    else:
        table.to_csv(source, index=False, sep="\t" if "tsv" in name else ",")
    done = ask("--input", source, "--output", output)
    assert done.code == 0, done.err
    records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [str(record["stock"]) for record in records] == ["3", "4"]
    assert records[1]["categories"][0]["category"] == "Pets > Cats > 猫粮"


def test_other_column_names_and_encoding(ask, tmp_path, answers):
    source = tmp_path / "in.csv"
    source.write_text("Name;Größe\npan;猫\n", encoding="utf-16")
    columns = ("--text", "Name", "--text", "Größe", "--encoding", "utf-16")
    done = ask("--input", source, "--output", answers, *columns)
    assert done.code == 0, done.err
    assert read_csv(answers)[0]["Größe"] == "猫"


def test_large_files_stream_in_order(ask, tmp_path, answers):
    titles = [f"{number} {'pan' if number % 3 else '猫'}" for number in range(3_000)]
    files = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for file, part in zip(files, (titles[:2_000], titles[2_000:]), strict=True):
        file.write_text("title,description\n" + "".join(f"{t},\n" for t in part), encoding="utf-8")
    done = ask("--input", files[0], "--input", files[1], "--output", answers, "--in-flight", 3)
    assert done.code == 0, done.err
    rows = read_csv(answers)
    assert [row["title"] for row in rows] == titles
    right = ["Home > Cookware" if number % 3 else "Pets > Cats > 猫粮" for number in range(3_000)]
    assert [row["category_1"] for row in rows] == right
    assert "3,000 rows in" in done.err
    assert "asking about 2 files" in done.err


def test_unavailable_on_the_way_costs_no_row(ask, server, tmp_path, answers):
    source = write_products(tmp_path, 600)
    answer = server.answer

    def overloaded(columns):
        if any(title in ("pan 0", "pan 300") for title in columns["title"]):
            server.faults += [(grpc.StatusCode.UNAVAILABLE, "the queue is full")] * 6
        return answer(columns)

    server.answer = overloaded
    done = ask("--input", source, "--output", answers)
    assert done.code == 0, done.err
    assert [row["title"] for row in read_csv(answers)] == [f"pan {n}" for n in range(600)]


def test_versions_that_answered_are_named_if_there_are_several(ask, server, tmp_path, answers):
    source = write_products(tmp_path, 600)
    answer = server.answer

    def swapping(columns):
        if any(title == "pan 300" for title in columns["title"]):
            server.version = 4
        return answer(columns)

    server.answer = swapping
    done = ask("--input", source, "--output", answers, "--in-flight", 1)
    assert done.code == 0, done.err
    assert "several versions answered: 3 (" in done.err


def test_version_with_fewer_categories_leaves_cells_empty(ask, server, tmp_path, answers):
    source = write_products(tmp_path, 300)
    answer = server.answer

    def swapping(columns):
        width = 2 if any(title == "pan 299" for title in columns["title"]) else 3
        return [row[:width] for row in answer(columns)]

    server.answer = swapping
    assert ask("--input", source, "--output", answers, "--in-flight", 1).code == 0
    rows = read_csv(answers)
    assert (rows[0]["category_3"] != "", rows[299]["category_3"]) == (True, "")


def test_rows_without_text_are_counted(ask, tmp_path, answers):
    source = tmp_path / "in.csv"
    source.write_text("title,description\npan,\n , \n", encoding="utf-8")
    done = ask("--input", source, "--output", answers)
    assert done.code == 0
    assert "1 row without text" in done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title,description\npan,\npan,a,b\n", "in.csv:3"),
        ("title,description\n", "at least one row"),
    ],
)
def test_bad_file_is_named_and_nothing_is_left_behind(ask, tmp_path, answers, text, message):
    source = tmp_path / "in.csv"
    source.write_text(text, encoding="utf-8")
    done = ask("--input", source, "--output", answers)
    assert done.code == 2
    assert message in done.err
    assert names(tmp_path) == ["in.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name either titles, or files"),
        (("a title", "--input", "x.csv"), "Name either titles, or files"),
        (("--input", "products.csv"), "Name either titles, or files"),
        (("--input", "products.csv", "--output", "products.csv"), "must not be an input"),
        (("--input", "products.csv", "--output", "a.xlsx"), "must end in one of"),
        (("--input", "products.csv", "--output", "a.csv", "--text", "title"), "takes 2 text"),
        (("--input", "products.csv", "--output", "a.csv", "--top-k", "9"), "at most 3"),
        (
            ("--input", "products.csv", "--output", "a.csv", "--text", "nix", "--text", "title"),
            "'nix' is missing",
        ),
        (("title", "--model", "nix"), "Servable not found"),
        (("title", "--model-version", "3", "--model-label", "x"), "by version or by label"),
        (("title", "--cert", "products.csv"), "belong together"),
        (("title", "--ca", "products.csv"), "PEM file"),
    ],
)
def test_bad_calls_get_a_clear_message(ask, monkeypatch, products, arguments, message):
    before = products.read_bytes()
    monkeypatch.chdir(products.parent)
    done = ask(*arguments)
    assert done.code == 2
    assert message in done.err
    assert products.read_bytes() == before
    assert names(products.parent) == ["products.csv"]


def test_longest_message_can_be_chosen(ask):
    done = ask("pan " * 300, "--max-message-bytes", 1_024)
    assert done.code == 2
    assert "must fit into a message of 1,024 bytes" in done.err
    assert ask("pan " * 300, "--max-message-bytes", 4_096).code == 0


def test_server_that_is_not_there_is_named(call):
    done = call("ask", "a title", "--server", "localhost:1")
    assert done.code == 2
    assert "localhost:1 must be answered. Received UNAVAILABLE" in done.err


def test_tls(call, tmp_path):
    pems = Certificates(tmp_path)
    with AnsweringServer(credentials=pems.server(mutual=True)).running() as server:
        mine = ("--ca", pems.ca, "--cert", pems.client_certificate, "--key", pems.client_key)
        done = call("ask", "pan", "--server", server.address, *mine)
    assert "Home > Cookware" in done.out


def test_progress_is_a_share_where_the_rows_can_be_estimated(server, tmp_path):
    from prodcls_tf import progress
    from prodcls_tf.cli.ask_files import FileQuestion, ask_files
    from serving.client import Client

    plain = write_products(tmp_path, 1_000)
    zipped = tmp_path / "in2.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    for source, shares in ((plain, {0.0, 0.26, 0.51, 0.77, 1.0}), (zipped, {1.0})):
        events: list[progress.Event] = []
        fields = ["title", "description"]
        output = tmp_path / "out.csv"
        question = FileQuestion.of([source], output, fields, None, "utf-8", 3)
        with Client(server.address) as client, progress.listening(events.append):
            ask_files(client, question, in_flight=2)
        assert {round(e.done / e.total, 2) for e in events if e.total} == shares
        assert (events[-1].done, events[-1].total) == (1_000, 1_000)


BLOCKED = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ImportError(f"{{name}} is not installed on this host")

sys.meta_path.insert(0, Blocker())
"""


def test_client_and_command_work_where_there_is_no_tensorflow(server, fresh_python, tmp_path):
    source, output = write_products(tmp_path, 300), tmp_path / "out.csv"
    printed = fresh_python(
        BLOCKED
        + f"""
from serving.client import Client
from prodcls_tf.cli import main

with Client({server.address!r}) as client:
    print(client.classify(["a pan"])[0].category, client.status()[1].state, client.health())
print(main(["ask", "a 猫", "--server", {server.address!r}]))
print(main(["ask", "--server", {server.address!r}, "--input", {str(source)!r},
            "--output", {str(output)!r}]))
"""
    )
    assert printed.startswith("Home > Cookware AVAILABLE SERVING\n")
    assert "Pets > Cats > 猫粮" in printed
    assert len(read_csv(output)) == 300


def test_asyncio_client_works_where_there_is_no_tensorflow(server, fresh_python):
    printed = fresh_python(
        BLOCKED
        + f"""
import asyncio
from serving.async_client import AsyncClient

async def ask():
    async with AsyncClient({server.address!r}) as client:
        return await client.classify(["a pan"])

print(asyncio.run(ask())[0].category)
"""
    )
    assert printed == "Home > Cookware\n"
