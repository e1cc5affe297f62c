from __future__ import annotations

import threading
import time

import grpc
import pytest

from prodcls_tf.errors import InputError, ServerError
from serving.client import Client
from serving.streaming import stream
from tests.serving.answering_server import AnsweringServer

FIELDS = ["title", "description"]


@pytest.fixture
def server():
    with AnsweringServer().running() as running:
        yield running


@pytest.fixture
def client(server):
    with Client(server.address, timeout=30) as client:
        yield client


def texts(title):
    return title, ""


def titles(count):
    return [f"{'pan' if number % 3 else '猫'} {number}" for number in range(count)]


def test_all_rows_come_back_in_order_with_their_own_answers(client):
    rows = titles(1_000)
    chunks = list(stream(client, iter(rows), texts, FIELDS, in_flight=4, chunk=64))
    answered = [pair for chunk in chunks for pair in chunk]
    assert [len(chunk) for chunk in chunks] == [64] * 15 + [40]
    assert [title for title, _ in answered] == rows
    right = ["Home > Cookware" if number % 3 else "Pets > Cats > 猫粮" for number in range(1_000)]
    assert [answer.category for _, answer in answered] == right


def test_several_requests_are_in_flight(server, client):
    at_once = threading.Barrier(3, timeout=30)
    answer = server.answer

    def together(columns):
        at_once.wait()
        return answer(columns)

    server.answer = together
    chunks = list(stream(client, titles(12), texts, FIELDS, in_flight=3, chunk=2))
    assert len(chunks) == 6


def test_order_is_kept_when_a_later_request_is_quicker(server, client):
    answer = server.answer

    def first_is_slow(columns):
        time.sleep(0.5 if columns["title"][0].endswith(" 0") else 0.0)
        return answer(columns)

    server.answer = first_is_slow
    answered = stream(client, titles(6), texts, FIELDS, in_flight=6, chunk=1)
    assert [title for ((title, _),) in answered] == titles(6)


def test_no_more_rows_are_read_than_the_window_holds(server, client):
    read = []

    def endless():
        number = 0
        while True:
            read.append(number)
            yield f"pan {number}"
            number += 1

    answered = stream(client, endless(), texts, FIELDS, in_flight=2, chunk=5)
    for _ in range(3):
        next(answered)
    assert len(read) <= (3 + 2) * 5
    answered.close()


def test_no_rows_are_no_chunks(client):
    assert list(stream(client, [], texts, FIELDS)) == []


def test_unavailable_on_the_way_costs_no_row(server, client):
    server.faults += [(grpc.StatusCode.UNAVAILABLE, "full")] * 4
    chunks = list(stream(client, titles(100), texts, FIELDS, in_flight=4, chunk=10))
    assert [title for chunk in chunks for title, _ in chunk] == titles(100)


def test_failure_comes_after_all_that_was_answered_before_it(server, client):
    answer = server.answer

    def fails_late(columns):
        if any(title.endswith(" 25") for title in columns["title"]):
            raise RuntimeError("a fault of the server")
        return answer(columns)

    server.answer = fails_late
    seen = []

    def see():
        for chunk in stream(client, titles(100), texts, FIELDS, in_flight=4, chunk=10):
            seen.extend(title for title, _ in chunk)

    with pytest.raises(ServerError, match="UNKNOWN"):
        see()
    assert seen == titles(20)


def test_fault_of_the_source_is_raised_as_it_is(client):
    def broken():
        yield from titles(30)
        raise InputError("line 31")

    with pytest.raises(InputError, match="line 31"):
        list(stream(client, broken(), texts, FIELDS, in_flight=2, chunk=10))


def test_stopping_early_and_closing_ends_the_threads(server):
    server.delay = 60.0
    with Client(server.address, timeout=60) as client:
        answered = stream(client, titles(100), texts, FIELDS, in_flight=3, chunk=10)

        def ask():
            with pytest.raises(ServerError):
                next(answered)

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.5)
    asking.join(20)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(thread.name.startswith("prodcls-ask") for thread in threading.enumerate()):
            return
        time.sleep(0.05)
    pytest.fail("threads are left")


@pytest.mark.parametrize("bounds", [{"in_flight": 0}, {"chunk": 0}])
def test_bounds_must_be_positive(client, bounds):
    with pytest.raises(InputError, match="At least one"):
        next(stream(client, ["pan"], texts, FIELDS, **bounds))
