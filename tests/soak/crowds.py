"""Rows 11, 12 and 13: more requests than fit, requests too late, and clients that misbehave."""

from __future__ import annotations

import threading
import time

import grpc
import tensorflow as tf

from tests.serving.server.embedded import (
    Asking,
    asking,
    predict_request,
    slow_request,
    until,
)
from tests.serving.server.http2 import never_reading_call
from tests.serving.server.test_grpc_faults import PREDICT, RUNS
from tests.soak.load import MOST_ROWS
from tests.soak.served import Served
from tests.soak.shop import SPARE_THREADS, Shop
from tests.soak.trial import Trial

_REFUSED_WITHIN_MS = 50
_VICTIMS, _VICTIM_MS, _OCCUPANT_MS = 20, 300, 200
_CANCELLED, _SLOW_READERS = 1000, 100


def full_queue(trial: Trial) -> None:
    """Row 11: the queue holds a quarter of the clients, and a slow request keeps it waiting."""
    shop, seconds = Shop(trial), trial.settings.seconds
    # A batch takes two average requests of the load.
    flags = shop.batching(
        max_batch_size=MOST_ROWS,
        num_batch_threads=1,
        max_enqueued_batches=max(1, trial.settings.clients // 8),
    )
    over = threading.Event()
    with shop.served(*flags) as server, shop.load(server) as load, asking(server.port) as client:
        slow = threading.Thread(target=_occupy, args=(client, over), daemon=True)
        slow.start()
        load.phase("full")
        load.hold(seconds / 4)
        before = server.megabytes
        load.hold(seconds * 3 / 4)
        after = server.megabytes
        over.set()
        slow.join(60)
        result = load.end()
    trial.judge(result, may_fail=("UNAVAILABLE",))
    refused = result.failures.get("UNAVAILABLE")
    trial.check(refused is not None, "some requests are refused")
    if refused is not None:
        trial.note(
            f"refused after p50/p99/max {refused.p50:.0f}/{refused.p99:.0f}/{refused.most:.0f} ms"
        )
        trial.check(refused.p99 <= _REFUSED_WITHIN_MS, "99 % are refused within 50 ms")
    trial.note(f"RSS {before:.0f} then {after:.0f} MB")
    trial.check(after <= 1.1 * before, "memory is flat")
    full = [reason for reason in result.reasons if "queue" in reason]
    trial.check(bool(full), f"the queue is the reason, not {result.reasons}")


def _occupy(client: Asking, over: threading.Event) -> None:
    while not over.is_set():
        client.slowly(_OCCUPANT_MS).exception(60)


def late_requests(trial: Trial) -> None:
    """Row 12: slow requests with 10 ms to live, behind one that holds the only batch thread."""
    shop, took, calls = Shop(trial), [], 0
    # Under a name of their own the slow ones are counted apart from the load.
    models = shop.configuration(shop.model(), shop.model(name="slow"))
    flags = shop.batching(
        max_batch_size=MOST_ROWS,
        num_batch_threads=1,
        max_enqueued_batches=trial.settings.clients + _VICTIMS,
    )
    with (
        shop.served(f"--model_config_file={models}", *flags) as server,
        shop.load(server) as load,
        asking(server.port) as client,
    ):
        end = time.monotonic() + trial.settings.seconds
        while not calls or time.monotonic() < end:
            occupant = _slow(client, _OCCUPANT_MS, rows=1)
            time.sleep(0.05)
            victims = [_slow(client, _VICTIM_MS, MOST_ROWS, timeout=0.01) for _ in range(_VICTIMS)]
            codes = {getattr(call.exception(30), "code", lambda: None)() for call in victims}
            late = grpc.StatusCode.DEADLINE_EXCEEDED
            trial.check(codes == {late}, f"all are DEADLINE_EXCEEDED, not {codes}")
            occupant.result(30)
            # Would the server still run them, this one would wait for all of them.
            began = time.monotonic()
            _slow(client, 0, rows=1).result(60)
            took.append(time.monotonic() - began)
            calls += 2
        runs = server.figure(RUNS, 'model_name="slow"')
        result = load.end()
    trial.note(
        f"{_VICTIMS * len(took)} late requests; {runs:.0f} of {calls} others ran, "
        f"the next one was answered in {max(took):.2f} s at most"
    )
    trial.check(runs == calls, "the late requests are not run")
    worth = _VICTIMS * _VICTIM_MS / 1000
    trial.check(max(took) < worth / 2, f"late requests worth {worth:.0f} s hold up nobody")
    trial.judge(result)


def _slow(client: Asking, milliseconds: int, rows: int, timeout: float = 60.0) -> grpc.Future:
    request = slow_request(0)
    request.model_spec.name = "slow"
    request.inputs["rounds"].CopyFrom(tf.make_tensor_proto([milliseconds] * rows, tf.int32))
    return client.predictions.Predict.future(request, timeout=timeout)


def careless_clients(trial: Trial) -> None:
    """Row 13: calls that are cancelled and readers that never read leave nothing behind."""
    shop, cancelled, readers = Shop(trial), 0, 0
    with shop.served() as server, shop.load(server) as load, asking(server.port) as client:
        # All threads that the server may ever start are there after this.
        for call in [client.slowly(20) for _ in range(SPARE_THREADS - 10)]:
            call.exception(60)
        _cancel(trial, server, client, _CANCELLED // 5)
        _never_read(server, _SLOW_READERS // 5)
        threads, files = server.threads, server.files
        end = time.monotonic() + trial.settings.seconds
        while not cancelled or time.monotonic() < end:
            _cancel(trial, server, client, _CANCELLED)
            _never_read(server, _SLOW_READERS)
            load.until_answered()
            cancelled, readers = cancelled + _CANCELLED, readers + _SLOW_READERS
        until(lambda: server.files <= files + 4, 60)
        after, open_files = server.threads, server.files
        result = load.end()
    trial.note(
        f"{cancelled:,} cancelled calls, {readers} slow readers; threads {threads} then {after}, "
        f"handles {files} then {open_files}"
    )
    trial.check(after <= threads + 10, "no thread is leaked")
    trial.judge(result)


def _cancel(trial: Trial, server: Served, client: Asking, count: int) -> None:
    """Cancels calls, some before and some after they are sent, fifty at a time."""
    for start in range(0, count, 50):
        for number in range(start, start + 50):
            call = client.slowly(20)
            if number % 3 == 0:
                time.sleep(0.001)
            call.cancel()
        until(lambda: server.in_flight() <= trial.settings.clients, 60)


def _never_read(server: Served, count: int) -> None:
    body = predict_request("pan " * 1_000).SerializeToString()
    stuck = [never_reading_call(server.port, PREDICT, body) for _ in range(count)]
    time.sleep(2)
    for connection in stuck:
        connection.close()
