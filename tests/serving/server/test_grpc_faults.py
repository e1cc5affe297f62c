"""What clients do to a server: rows 11 to 14 of the fault table, through real gRPC."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.serving.server.embedded import (
    asking,
    code_of,
    figure,
    in_flight,
    predict_request,
    running,
    slow_request,
    until,
)
from tests.serving.server.http2 import never_reading_call
from tests.serving.tiny_model import save_tiny_model

PREDICT = "/tensorflow.serving.PredictionService/Predict"
FULL = "The batch scheduling queue to which this task was submitted is full"


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "3").parent


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


COUNT = ":tensorflow:serving:request_count"
RUNS = ":tensorflow:serving:runtime_latency_count"


def test_deadline_ends_the_call_and_the_run(base):
    with running(base) as server, asking(server.port) as client:
        began = time.monotonic()
        code, _ = code_of(lambda: client.slowly(600_000, timeout=0.5).result())
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED
        # Ten minutes of work are given up on the server, too.
        until(lambda: figure(server, COUNT, "DEADLINE_EXCEEDED"), 60)
        assert time.monotonic() - began < 60


def one_at_a_time(tmp_path, waiting: int) -> dict[str, object]:
    """Flags for batches of one request, one of which runs while so many wait."""
    file = tmp_path / "batching.config"
    file.write_text(
        f"max_batch_size {{ value: 1 }} max_enqueued_batches {{ value: {waiting} }} "
        "num_batch_threads { value: 1 }"
    )
    return {"enable_batching": True, "batching_parameters_file": str(file)}


def test_expired_request_is_not_run(base, tmp_path):
    with running(base, **one_at_a_time(tmp_path, 8)) as server, asking(server.port) as client:
        slow = client.slowly(2_000)
        until(lambda: in_flight(server) == 1)
        began = time.monotonic()
        code, _ = code_of(lambda: client.predict("pan", timeout=0.2))
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED
        slow.result()
        until(lambda: in_flight(server) == 0)
        # The other one, alone.
        assert figure(server, RUNS) == 1
        assert figure(server, COUNT, "DEADLINE_EXCEEDED") == 1
        assert time.monotonic() - began < 60


def test_deadlines_of_milliseconds_hold_under_load(base):
    with running(base) as server, asking(server.port) as client:
        calls = [client.slowly(5_000, timeout=0.01) for _ in range(60)]
        assert {call.exception().code() for call in calls} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        until(lambda: in_flight(server) == 0, 60)
        client.predict("pan")


def test_calls_beyond_the_threads_are_refused_and_health_still_answers(base):
    with running(base, grpc_max_threads=2) as server, asking(server.port) as client:
        slow = [client.slowly(4_000) for _ in range(2)]
        health = health_pb2_grpc.HealthStub(client.channel)
        until(lambda: in_flight(server) == 2)
        began = time.monotonic()
        code, details = code_of(lambda: client.predict("pan"))
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert details.startswith("Concurrent RPC limit exceeded!")
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=30).status == 1
        assert time.monotonic() - began < 3
        for call in slow:
            call.cancel()


def test_full_queue_of_batches_refuses_at_once_and_answers_what_it_took(base, tmp_path):
    with running(base, **one_at_a_time(tmp_path, 2)) as server, asking(server.port) as client:
        # Each has a number of its own, which comes back in its answer.
        calls = {3_000: client.slowly(3_000)}
        until(lambda: in_flight(server) == 1)
        calls.update({number: client.slowly(number) for number in range(1, 12)})
        until(lambda: sum(call.done() for call in calls.values()) == 9)
        # So the refusals came while the batch before them was still running.
        assert not calls[3_000].done()
        refused = [call.exception() for call in calls.values() if call.exception()]
        right = [
            tf.make_ndarray(call.result().outputs["done"]).tolist() == [number]
            for number, call in calls.items()
            if not call.exception()
        ]
    assert {error.code() for error in refused} == {grpc.StatusCode.UNAVAILABLE}
    assert all(error.details().startswith(FULL) for error in refused)
    # One ran and two waited.
    assert right == [True] * 3


def test_more_rows_than_the_largest_batch_are_refused(base, tmp_path):
    with running(base, **one_at_a_time(tmp_path, 2)) as server, asking(server.port) as client:
        code, details = code_of(lambda: client.predict(*["pan"] * 5))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith("Task size 5 is larger than maximum input batch size 1")


def test_cancelled_calls_leave_nothing_behind(base):
    with running(base, grpc_max_threads=4) as server, asking(server.port) as client:

        def cancel(count):
            for number in range(count):
                call = client.slowly(200)
                if number % 3 == 0:
                    time.sleep(0.001)
                call.cancel()
            until(lambda: in_flight(server) == 0, 60)

        def ask(_):
            with contextlib.suppress(grpc.RpcError):  # more than may run at a time
                client.predict("pan")

        # Until then the server's pool grows.
        with futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(ask, range(256)))
        cancel(200)
        threads, files = threading.active_count(), open_files()
        cancel(800)
        assert client.predict("pan").model_spec.version.value == 3
        # gRPC's own short-lived threads may be there for another moment.
        until(lambda: threading.active_count() <= threads + 2)
        assert open_files() <= files + 4


def test_clients_that_never_read_hold_up_nobody(base):
    with running(base, grpc_max_threads=8) as server, asking(server.port) as client:
        client.predict("pan")
        for _ in range(3):
            with futures.ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda _: client.predict("pan"), range(64)))
        before, threads, files = figure(server, COUNT), threading.active_count(), open_files()
        body = predict_request("pan " * 1_000).SerializeToString()
        stuck = [never_reading_call(server.port, PREDICT, body) for _ in range(100)]
        # Answered, or refused because all threads were busy; nobody reads which.
        until(lambda: figure(server, COUNT) >= before + 100 and not in_flight(server), 60)
        with futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.predict("pan"), range(64)))
        assert len(answers) == 64
        assert in_flight(server) == 0
        for connection in stuck:
            connection.close()
        until(lambda: open_files() <= files + 4, 60)
        # The spare threads may have been needed.
        assert threading.active_count() <= threads + 10


def sized_request(size: int):
    """A request of exactly so many bytes."""
    request = predict_request("")
    title = request.inputs["title"]
    while request.ByteSize() < size:
        title.string_val[0] += b"x" * max(1, (size - request.ByteSize()) // 2)
    assert request.ByteSize() == size
    return request


def test_request_at_the_limit_is_answered_and_one_byte_more_is_refused(base):
    limit = 64 * 1024
    with running(base, max_message_bytes=limit) as server, asking(server.port) as client:
        for size in (limit - 1, limit):
            client.predictions.Predict(sized_request(size), timeout=30)
        code, details = code_of(
            lambda: client.predictions.Predict(sized_request(limit + 1), timeout=30)
        )
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert details.startswith("SERVER: Received message larger than max")
        client.predict("pan")


def test_compressed_request_over_the_limit_is_refused(base):
    with running(base, max_message_bytes=64 * 1024) as server, asking(server.port) as client:
        code, details = code_of(
            lambda: client.predictions.Predict(
                sized_request(256 * 1024), timeout=30, compression=grpc.Compression.Gzip
            )
        )
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert details.startswith("Decompressed message larger than max")


def test_answer_over_the_limit_is_refused(base):
    with running(base, max_message_bytes=64 * 1024) as server, asking(server.port) as client:
        request = slow_request(0)
        request.model_spec.signature_name = "numbers"
        request.inputs.clear()
        request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.zeros((20_000, 0), np.float32)))
        n = request.inputs["n"]
        n.dtype = tf.int64.as_datatype_enum
        n.tensor_shape.dim.add(size=20_000)
        n.int64_val.append(1)
        code, details = code_of(lambda: client.predictions.Predict(request, timeout=30))
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert details.startswith("SERVER: Sent message larger than max")


def test_watchers_are_told_and_let_go_when_the_server_stops(base):
    with running(base) as server, asking(server.port) as client:
        stub = health_pb2_grpc.HealthStub(client.channel)
        watches = [stub.Watch(health_pb2.HealthCheckRequest(), timeout=60) for _ in range(3)]
        assert [next(watch).status for watch in watches] == [1, 1, 1]
        began = time.monotonic()
        assert server.stop()
        assert time.monotonic() - began < 15
        assert [[reply.status for reply in watch] for watch in watches] == [[2], [2], [2]]
