from __future__ import annotations

import threading
import time

import grpc
import pandas as pd
import pytest

from prodcls_tf.errors import InputError, ModelError, ServerError
from serving.calls import Patience
from serving.client import Client, Prediction
from tests.serving.answering_server import AnsweringServer

UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "the queue is full")


@pytest.fixture
def server():
    with AnsweringServer().running() as running:
        yield running


@pytest.fixture
def client(server):
    with Client(server.address, timeout=20) as client:
        yield client


def test_titles_get_ranked_answers_and_the_version(client):
    (answer,) = client.classify(["Frying PAN"])
    assert answer.ranked[0] == Prediction("Home > Cookware", pytest.approx(0.8))
    assert (answer.category, answer.version) == ("Home > Cookware", 3)
    assert [score for _, score in answer.ranked] == sorted((s for _, s in answer.ranked))[::-1]
    assert sum(score for _, score in answer.ranked) == pytest.approx(1.0)


def test_mapping_fills_every_field(client):
    texts = {"description": ["with 猫 on it", ""], "title": ["bowl", "headphones"]}
    answers = client.classify(texts)
    assert [a.category for a in answers] == ["Pets > Cats > 猫粮", "Audio > Headphones"]


def test_columns_of_pandas_are_taken(client):
    frame = pd.DataFrame({"title": ["pan", "x"], "description": ["", "猫"]})
    right = ["Home > Cookware", "Pets > Cats > 猫粮"]
    assert [answer.category for answer in client.classify(frame)] == right
    assert client.classify(frame["title"])[0].category == right[0]


def test_answers_come_in_the_order_of_the_rows_whatever_the_batches(server):
    titles = ["pan " * (number % 7) + "猫" * (number % 2) for number in range(50)]
    with Client(server.address, batch_size=8) as small, Client(server.address) as large:
        assert small.classify(titles) == large.classify(titles)
    assert sorted(server.asked) == [2, *[8] * 6, 50]


def test_rows_of_like_length_go_together(server):
    seen = []
    answer = server.answer
    server.answer = lambda columns: seen.append(columns["title"]) or answer(columns)
    with Client(server.address, batch_size=2) as client:
        client.classify(["x" * 90, "a", "y" * 91, "b"])
    assert seen == [["a", "b"], ["x" * 90, "y" * 91]]


def test_no_rows_are_no_answers_and_no_request(server, client):
    assert client.classify([]) == []
    assert server.asked == []


@pytest.mark.parametrize("title", ["", "😀", "a\0b", "\ud83d half an emoji", "x" * 10**6])
def test_strange_titles_get_an_answer(client, title):
    (answer,) = client.classify([title])
    assert len(answer.ranked) == 3


def test_tensors_written_as_bytes_are_read_too(server, client):
    answers = client.classify(["pan", "猫"])
    server.as_content = True
    assert client.classify(["pan", "猫"]) == answers


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one title", "Put it into a list"),
        ({"title": "one title", "description": ""}, "Put it into a list"),
        ([None], "Received NoneType in row 0 of title"),
        ({"title": ["a"], "description": []}, "lengths"),
        ({}, "no field"),
    ],
)
def test_questions_that_cannot_be_sent_are_refused(client, texts, message):
    with pytest.raises(InputError, match=message):
        client.classify(texts)


def test_titles_alone_need_a_field_called_title(server, client):
    server.fields = ("brand", "name")
    with pytest.raises(InputError, match="brand, name"):
        client.classify(["pan"])
    assert client.classify({"brand": ["x"], "name": ["pan"]})[0].category == "Home > Cookware"


def test_fields_come_with_the_title_first_and_are_asked_for_once(server, client):
    server.fields = ("brand", "title", "description")
    assert client.fields() == ["title", "brand", "description"]
    server.faults.append((grpc.StatusCode.INTERNAL, "asked again"))
    assert client.fields() == ["title", "brand", "description"]


def test_fields_are_learned_anew_after_a_refusal(server, client):
    assert client.fields() == ["title", "description"]
    server.fields = ("title",)
    with pytest.raises(ServerError, match="INVALID_ARGUMENT"):
        client.classify(["pan"])
    assert client.classify(["pan"])[0].category == "Home > Cookware"


def test_version_label_and_signature_are_asked_for(server):
    texts = {"title": ["pan"], "description": [""]}
    with Client(server.address, version=3, signature="other") as client:
        client.classify(texts)
    with Client(server.address, label="stable") as client:
        client.classify(texts)
    first, second = server.specs
    assert (first.name, first.version.value, first.signature_name) == ("prodcls", 3, "other")
    assert (second.version_label, second.HasField("version")) == ("stable", False)


def test_version_and_label_exclude_each_other():
    with pytest.raises(InputError, match="version 3 and label 'stable'"):
        Client("localhost", version=3, label="stable")


def test_status_names_states_and_errors(client):
    broken, good = client.status()
    assert (broken.version, broken.state, broken.error) == (4, "END", "INTERNAL: no graph")
    assert (good.version, good.state, good.available) == (3, "AVAILABLE", True)


def test_health_is_that_of_the_standard_service(client):
    assert client.health() == "SERVING"
    with pytest.raises(ServerError) as error:
        client.health("no.such.Service")
    assert error.value.code == "NOT_FOUND"


def test_unavailable_is_tried_again(server, client):
    server.faults += [UNAVAILABLE] * 3
    assert client.classify(["pan"])[0].category == "Home > Cookware"


@pytest.mark.parametrize(
    "fault",
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!"),
        (grpc.StatusCode.CANCELLED, "CANCELLED"),
    ],
)
def test_server_whose_threads_are_taken_or_that_stops_is_asked_again(server, client, fault):
    server.faults += [fault] * 3
    assert client.classify(["pan"])[0].category == "Home > Cookware"


def test_retries_end(server):
    server.faults += [UNAVAILABLE] * 9
    with Client(server.address, retries=2) as client, pytest.raises(ServerError) as error:
        client.fields()
    assert error.value.code == "UNAVAILABLE"
    assert "the queue is full" in str(error.value)
    assert len(server.faults) == 9 - 3


@pytest.mark.parametrize("code", ["INTERNAL", "RESOURCE_EXHAUSTED", "ABORTED", "UNAUTHENTICATED"])
def test_other_codes_are_not_tried_again_and_kept(server, client, code):
    server.faults += [(grpc.StatusCode[code], "no"), UNAVAILABLE]
    with pytest.raises(ServerError) as error:
        client.classify({"title": ["pan"], "description": [""]})
    assert (error.value.code, error.value.details) == (code, "no")
    assert isinstance(error.value.__cause__, grpc.RpcError)
    assert server.faults == [UNAVAILABLE]


def test_deadline_holds_over_all_repetitions(server):
    server.faults += [UNAVAILABLE] * 10_000
    with Client(server.address, timeout=1.0, retries=None) as client:
        started = time.monotonic()
        with pytest.raises(ServerError, match="UNAVAILABLE"):
            client.fields()
    assert time.monotonic() - started < 10


def test_slow_answer_is_deadline_exceeded(server, client):
    server.delay = 3.0
    with pytest.raises(ServerError) as error:
        client.classify({"title": ["pan"], "description": [""]}, timeout=0.2)
    assert error.value.code == "DEADLINE_EXCEEDED"


def test_pauses_grow_up_to_the_longest_and_differ():
    patience = Patience(first=0.1, longest=2.0)
    pauses = [patience.pause(repetition) for repetition in range(1, 200)]
    assert 0.05 <= pauses[0] <= 0.1
    assert 0.4 <= pauses[3] <= 0.8
    assert all(1.0 <= pause <= 2.0 for pause in pauses[5:])
    assert len(set(pauses[5:])) > 100


def test_batch_over_the_message_limit_is_cut(server):
    with Client(server.address, max_message_bytes=10_000, batch_size=64) as client:
        answers = client.classify(["pan " * 200] * 40)
    assert len(answers) == 40
    assert len(server.asked) > 3
    assert sum(server.asked) == 40


def test_batch_over_the_servers_limit_is_cut():
    with (
        AnsweringServer(max_message_bytes=20_000).running() as server,
        Client(server.address) as client,
    ):
        assert len(client.classify(["pan " * 200] * 60)) == 60
    assert max(server.asked) < 30


def test_batch_of_more_rows_than_the_server_takes_is_cut(server, client):
    server.most_rows = 10
    assert len(client.classify(["pan"] * 50)) == 50
    assert max(server.asked) <= 10


def test_row_over_the_message_limit_is_refused_before_it_is_sent(server):
    with (
        Client(server.address, max_message_bytes=5_000) as client,
        pytest.raises(InputError, match="5,000 bytes"),
    ):
        client.classify(["short", "x" * 6_000])


def test_model_off_the_contract_is_named(server, client):
    server.fields = ()
    with pytest.raises(ModelError, match="inputs that are no strings"):
        client.fields()


def test_unknown_model_is_named(server):
    with Client(server.address, model="nix") as client, pytest.raises(ServerError) as error:
        client.status()
    assert error.value.code == "NOT_FOUND"


def test_nobody_there_is_unavailable_with_a_remedy():
    with Client("localhost:1", retries=0) as client, pytest.raises(ServerError) as error:
        client.classify(["pan"])
    assert error.value.code == "UNAVAILABLE"
    assert "prodcls serve" in str(error.value)


def test_waits_until_a_version_is_available(server, client):
    server.state = 20
    threading.Timer(0.7, setattr, (server, "state", 30)).start()
    assert client.wait_until_ready(20).version == 3


def test_waits_for_a_server_that_is_yet_to_start():
    server = AnsweringServer()
    with server.running():
        pass
    with Client(server.address) as client:
        found = []
        waiting = threading.Thread(target=lambda: found.append(client.wait_until_ready(30)))
        waiting.start()
        time.sleep(0.5)
        with server.running():
            waiting.join(30)
    assert found[0].available


def test_waiting_ends_with_what_was_seen_last(server, client):
    server.state = 20
    with pytest.raises(ServerError, match="3 LOADING") as error:
        client.wait_until_ready(0.5)
    assert error.value.code == "DEADLINE_EXCEEDED"


def test_server_that_comes_back_is_found(server):
    again = AnsweringServer()
    with again.running():
        pass
    with Client(again.address, timeout=30, retries=None) as client:
        with again.running():
            client.classify(["pan"])
        timer = threading.Event()

        def revive():
            timer.wait(1.0)
            with again.running():
                timer.clear()
                timer.wait(15)

        reviving = threading.Thread(target=revive)
        reviving.start()
        assert client.classify(["猫"])[0].category == "Pets > Cats > 猫粮"
        timer.set()
        reviving.join(20)


def test_many_threads_share_a_client(server, client):
    results: dict[int, str] = {}

    def ask(number: int) -> None:
        word = ("pan", "猫")[number % 2]
        for _ in range(10):
            results[number] = client.classify([f"{word} {number}"])[0].category

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    right = ("Home > Cookware", "Pets > Cats > 猫粮")
    assert results == {number: right[number % 2] for number in range(16)}


def test_closing_ends_a_request_and_a_pause(server):
    client = Client(server.address, timeout=60, retries=None)
    server.delay = 30.0
    server.faults += [UNAVAILABLE] * 100
    codes = []

    def ask() -> None:
        try:
            client.classify({"title": ["pan"], "description": [""]})
        except ServerError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    client.close()
    for thread in threads:
        thread.join(10)
    assert codes == ["CANCELLED", "CANCELLED"]
    with pytest.raises(ServerError, match="Make a new client"):
        client.status()


@pytest.mark.parametrize(
    "options",
    [{"timeout": 0}, {"timeout": float("nan")}, {"retries": -1}, {"batch_size": 0},
     {"max_message_bytes": 10}],
)  # fmt: skip
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InputError, match="Received"):
        Client("localhost", **options)
