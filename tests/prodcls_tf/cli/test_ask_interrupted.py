from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent import futures

import grpc
import pytest

from tests.conftest import ROOT
from tests.prodcls_tf.cli.asked_files import names, read_csv, write_products
from tests.serving.answering_server import AnsweringServer


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


def started(server, source, output, *arguments):
    """The command in a process of its own."""
    command = [sys.executable, "-m", "prodcls_tf.cli", "ask", "--server", server.address]
    return subprocess.Popen(
        [*command, "--input", str(source), "--output", str(output), *map(str, arguments)],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip


def journaled(output) -> int:
    try:
        return json.loads(output.with_name(f"{output.name}.journal").read_text())["rows"]
    except FileNotFoundError:
        return 0


def wait_for(condition, process) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_again_and_again_it_neither_doubles_nor_loses_a_row(server, tmp_path, answers):
    source = write_products(tmp_path, 8_000)
    server.delay = 0.05
    for kills in range(1, 4):
        before = journaled(answers)
        process = started(server, source, answers, "--in-flight", "1")
        wait_for(lambda before=before: journaled(answers) > before, process)
        time.sleep(0.07 * kills)
        process.kill()
        process.communicate()
        assert not answers.exists()
    server.delay = 0.0
    process = started(server, source, answers)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "goes on after" in err
    assert [row["title"] for row in read_csv(answers)] == [f"pan {n}" for n in range(8_000)]
    assert all(row["category_1"] == "Home > Cookware" for row in read_csv(answers))
    assert names(tmp_path) == ["answers.csv", "in.csv"]


def test_interrupt_keeps_what_was_answered_and_says_so(server, tmp_path, answers):
    source = write_products(tmp_path, 3_000)
    server.delay = 0.2
    process = started(server, source, answers, "--in-flight", "2")
    wait_for(lambda: journaled(answers), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "the same command goes on from there" in err
    assert "Interrupted." in err
    kept = journaled(answers)
    server.delay = 0.0
    process = started(server, source, answers)
    assert f"goes on after {kept:,} rows" in process.communicate(timeout=120)[1]
    assert [row["title"] for row in read_csv(answers)] == [f"pan {n}" for n in range(3_000)]


def test_server_gone_for_long_ends_the_call_and_the_next_goes_on(ask, server, tmp_path, answers):
    source = write_products(tmp_path, 1_000)
    answer = server.answer

    def dies(columns):
        if any(title == "pan 600" for title in columns["title"]):
            server.faults += [(grpc.StatusCode.UNAVAILABLE, "gone")] * 10_000
        return answer(columns)

    server.answer = dies
    done = ask("--input", source, "--output", answers, "--timeout", 2, "--in-flight", 1)
    assert done.code == 2
    assert "UNAVAILABLE: gone" in done.err
    assert "512 rows kept in" in done.err
    assert not answers.exists()
    server.faults.clear()
    server.answer, asked = answer, len(server.asked)
    done = ask("--input", source, "--output", answers)
    assert done.code == 0, done.err
    assert "goes on after 512 rows" in done.err
    assert sum(server.asked[asked:]) == 1 + 1_000 - 512
    assert [row["title"] for row in read_csv(answers)] == [f"pan {n}" for n in range(1_000)]


def test_server_that_is_started_again_costs_no_row(tmp_path, answers):
    source = write_products(tmp_path, 2_000)
    server = AnsweringServer(delay=0.05)
    with server.running():
        process = started(server, source, answers, "--in-flight", "2")
        wait_for(lambda: len(server.asked) > 6, process)
    time.sleep(1.0)
    with server.running():
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert [row["title"] for row in read_csv(answers)] == [f"pan {n}" for n in range(2_000)]


def test_server_that_is_just_being_started_is_waited_for(call, tmp_path, answers):
    source = write_products(tmp_path, 10)
    server = AnsweringServer()
    with server.running():
        address = server.address
    with futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(
            call, "ask", "--server", address, "--input", source, "--output", answers
        )
        # Longer than the repetitions that a title gets.
        time.sleep(5.0)
        with server.running():
            done = asked.result(120)
    assert done.code == 0, done.err
    assert [row["title"] for row in read_csv(answers)] == [f"pan {n}" for n in range(10)]


def test_other_options_are_refused_until_the_rows_are_thrown_away(ask, server, tmp_path, answers):
    source = write_products(tmp_path, 600)
    answer = server.answer

    def fails(columns):
        if any(title == "pan 500" for title in columns["title"]):
            raise RuntimeError
        return answer(columns)

    server.answer = fails
    assert ask("--input", source, "--output", answers, "--in-flight", 1).code == 2
    server.answer = answer
    done = ask("--input", source, "--output", answers, "--top-k", 1)
    assert done.code == 2
    assert "received another number of categories" in done.err
    done = ask("--input", source, "--output", answers, "--top-k", 1, "--from-start")
    assert done.code == 0, done.err
    assert len(read_csv(answers)) == 600
