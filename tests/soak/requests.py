"""Rows 14, 16, 17, 19 and 20: requests that are odd, faulty, or no requests at all."""

from __future__ import annotations

import functools
import itertools
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent import futures
from typing import Optional

import grpc
import httpx
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving.channels import MAX_MESSAGE_BYTES
from serving.client import Tls
from tests.serving.certificates import Certificates
from tests.serving.server.embedded import (
    NAME,
    Asking,
    asking,
    classify_request,
    code_of,
    predict_request,
)
from tests.serving.server.test_grpc_faults import PREDICT, sized_request
from tests.serving.server.test_tls import write
from tests.serving.tiny_model import WORDS
from tests.soak.served import Served
from tests.soak.shop import Shop
from tests.soak.trial import Trial

_STRANGE: list[str | bytes] = [
    "", "   ", "😀🎧", "a\0b", "سماعات רעש", b"\xff\xfe pan \xc3", "x" * 2**20
]  # fmt: skip
# TensorFlow quotes the bad row in its error, which then may be no text.
_BAD_ROWS = [b"no example", b"\xff no example"]
_GOOD_THREADS, _BAD_THREADS = 8, 4
_RANDOM = 10_000
_RANDOM_THREADS = 4
# Codes of a server that has failed, or does not answer at all.
_BROKEN = ("UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL")


def sizes_at_the_limit(trial: Trial) -> None:
    """Row 14."""
    shop, rounds = Shop(trial), 0
    limit = MAX_MESSAGE_BYTES
    fitting = [sized_request(size) for size in (limit - 1, limit)]
    too_large = sized_request(limit + 1)
    with shop.served() as server, shop.load(server) as load, asking(server.port) as client:
        end = time.monotonic() + trial.settings.seconds
        while not rounds or time.monotonic() < end:
            for request in fitting:
                response = client.predictions.Predict(request, timeout=60)
                trial.check(_sound(response), "a message at the limit is answered")
            code, details = code_of(lambda: client.predictions.Predict(too_large, timeout=60))
            refused = code == grpc.StatusCode.RESOURCE_EXHAUSTED
            trial.check(refused, f"one byte more is RESOURCE_EXHAUSTED, not {code} {details}")
            rounds += 1
        result = load.end()
    trial.note(f"{rounds} times {limit - 1:,}, {limit:,} (OK) and {limit + 1:,} bytes (refused)")
    trial.judge(result)


def strange_titles(trial: Trial) -> None:
    """Row 16: half of the time as usual, half of it beside a client with strange titles."""
    shop, asked = Shop(trial, real=True), 0
    half = trial.settings.seconds / 2
    requests = [predict_request(title) for title in _STRANGE]
    with shop.served() as server, shop.load(server) as load, asking(server.port) as client:
        load.phase("usual")
        load.hold(half)
        load.phase("strange")
        end = time.monotonic() + half
        while asked < len(requests) or time.monotonic() < end:
            response = client.predictions.Predict(requests[asked % len(requests)], timeout=60)
            trial.check(_sound(response, shop.whole), "strange titles get sound scores")
            asked += 1
        result = load.end()
    usual, strange = (result.phases[name].p99 for name in ("usual", "strange"))
    trial.note(f"{asked:,} strange titles; others' p99 {usual:.0f} ms, then {strange:.0f} ms")
    trial.check(strange < 2 * usual, "others' p99 is under twice the usual")
    trial.judge(result)


def bad_rows(trial: Trial) -> None:
    """Row 17: serialized examples, good and bad ones, that share batches."""
    shop, counts = Shop(trial), Counter[str]()
    flags = shop.batching(
        max_batch_size=64,
        batch_timeout_micros=3000,
        num_batch_threads=2,
        max_enqueued_batches=trial.settings.clients + _GOOD_THREADS + _BAD_THREADS,
    )
    with shop.served(*flags) as server, shop.load(server) as load, asking(server.port) as client:
        end = time.monotonic() + trial.settings.seconds
        with futures.ThreadPoolExecutor(_GOOD_THREADS + _BAD_THREADS) as pool:
            jobs = [pool.submit(_good_rows, client, n, end) for n in range(_GOOD_THREADS)]
            jobs += [pool.submit(_bad_rows, client, end) for _ in range(_BAD_THREADS)]
            for job in jobs:
                counts.update(job.result(trial.settings.seconds + 120))
        result = load.end()
    trial.note(", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())))
    trial.check(
        set(counts) == {"good: right", "bad: INVALID_ARGUMENT"},
        "bad rows alone fail, as INVALID_ARGUMENT",
    )
    trial.judge(result)


def _evaluate(client: Asking, examples: list[bytes]) -> predict_pb2.PredictResponse:
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = NAME, "evaluate"
    request.inputs["examples"].CopyFrom(tf.make_tensor_proto(examples, tf.string))
    return client.predictions.Predict(request, timeout=60)


def _good_rows(client: Asking, number: int, end: float) -> Counter[str]:
    examples = classify_request(*WORDS).input.example_list.examples
    # Which row is whose shows in the order.
    places = np.roll(np.arange(len(WORDS)), number)
    rows = [examples[place].SerializeToString() for place in places]

    def ask() -> str:
        scores = tf.make_ndarray(_evaluate(client, rows).outputs["scores"])
        right = np.array_equal(scores.argmax(axis=1), places)
        return "good: right" if right else "good: wrong"

    return _counted(end, ask, "good")


def _bad_rows(client: Asking, end: float) -> Counter[str]:
    rows = itertools.cycle(_BAD_ROWS)

    def ask() -> str:
        _evaluate(client, [next(rows)])
        return "bad: answered"

    return _counted(end, ask, "bad")


def _counted(end: float, ask: Callable[[], str], name: str) -> Counter[str]:
    """Asks until the time is over, and counts what comes back."""

    def outcome() -> str:
        try:
            return ask()
        except grpc.RpcError as error:
            return f"{name}: {error.code().name}"

    seen = Counter[str]()
    while time.monotonic() < end:
        seen[outcome()] += 1
    return seen


def strangers_to_tls(trial: Trial) -> None:
    """Row 19: beside clients with certificates, those without, and plain text."""
    shop, rounds = Shop(trial), 0
    made = Certificates(trial.folder)
    config = write(
        trial.folder / "ssl.config",
        server_key=made.server_key,
        server_cert=made.server_certificate,
        custom_ca=made.ca,
        client_verify=True,
    )
    files = made.ca, made.client_certificate, made.client_key
    ca, key = made.ca.read_bytes(), made.client_key.read_bytes()
    shown = made.client_certificate.read_bytes()
    strangers: dict[str, Optional[grpc.ChannelCredentials]] = {
        "no certificate": grpc.ssl_channel_credentials(ca),
        "wrong CA": grpc.ssl_channel_credentials(made.stranger.read_bytes(), key, shown),
        "plain text": None,
    }
    with (
        shop.served(f"--ssl_config_file={config}", tls=Tls(*files)) as server,
        shop.load(server, tls=list(map(str, files))) as load,
    ):
        end = time.monotonic() + trial.settings.seconds
        while not rounds or time.monotonic() < end:
            for name, credentials in strangers.items():
                with asking(server.port, credentials) as client:
                    code, _ = code_of(functools.partial(client.predict, "pan", timeout=5))
                failed = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
                trial.check(code in failed, f"{name}: the handshake fails, not {code}")
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
                raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            rounds += 1
        trial.check(server.alive, "the server is alive")
        result = load.end()
    trial.note(f"{rounds} times {', '.join(strangers)} and HTTP: refused")
    trial.judge(result)


def random_bytes(trial: Trial) -> None:
    """Row 20: real requests with random bytes in them, and random bytes alone."""
    shop, seconds = Shop(trial), trial.settings.seconds
    count = min(_RANDOM, int(100 * seconds))
    codes, lock = Counter[str](), threading.Lock()
    with shop.served() as server, shop.load(server) as load, asking(server.port) as client:

        def send(number: int) -> None:
            drawn = random.Random(number)
            seen = Counter[str]()
            with httpx.Client(timeout=60) as http:
                for _ in range(count // _RANDOM_THREADS):
                    seen[_random_proto(client, drawn)] += 1
                    seen[_random_body(server, http, drawn)] += 1
            with lock:
                codes.update(seen)

        with futures.ThreadPoolExecutor(_RANDOM_THREADS) as pool:
            for job in [pool.submit(send, number) for number in range(_RANDOM_THREADS)]:
                job.result(600 + 10 * seconds)
        trial.check(server.alive, "the server is alive")
        load.until_answered()
        result = load.end()
    trial.note(f"{count:,} of each: {', '.join(f'{n:,} {c}' for c, n in codes.most_common())}")
    bad = [code for code in codes if code in _BROKEN or code.startswith("HTTP 5")]
    trial.check(not bad, f"all are answered or refused, not {bad}")
    trial.judge(result)


def _mutated(drawn: random.Random, real: bytes) -> bytes:
    if not real or drawn.random() < 0.3:
        return drawn.randbytes(drawn.randrange(200))
    body = bytearray(real)
    for _ in range(drawn.choice([1, 1, 2, 5])):
        body[drawn.randrange(len(body))] = drawn.randrange(256)
    return bytes(body)


def _random_proto(client: Asking, drawn: random.Random) -> str:
    method = drawn.choice(["Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata"])
    real = predict_request("pan") if method == "Predict" else classify_request("pan")
    path = PREDICT.replace("/Predict", f"/{method}")
    try:
        client.channel.unary_unary(path)(_mutated(drawn, real.SerializeToString()), timeout=60)
        return "OK"
    except grpc.RpcError as error:
        # The code that gRPC has for what is no message; otherwise it stands for a fault of ours.
        unreadable = (error.details() or "").startswith("The request is no ")
        return "no message" if unreadable else str(error.code().name)


def _random_body(server: Served, http: httpx.Client, drawn: random.Random) -> str:
    real = {
        "predict": {"instances": [{"title": "a PAN", "description": ""}]},
        "classify": {"signature_name": "classify", "examples": [{"title": "pan"}, {}]},
        "regress": {"signature_name": "regress", "examples": [{"title": ["x"]}]},
    }
    call = drawn.choice(list(real))
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/{NAME}:{call}"
    body = _mutated(drawn, json.dumps(real[call]).encode())
    return f"HTTP {http.post(url, content=body).status_code}"


def _sound(response: predict_pb2.PredictResponse, whole: bool = True) -> bool:
    """Whether scores are finite and sum to 1, or to less where there are further categories."""
    scores = tf.make_ndarray(response.outputs["scores"])
    sums = scores.sum(axis=1)
    near = np.allclose(sums, 1, atol=1e-4) if whole else np.all((sums > 0) & (sums <= 1.0001))
    return bool(np.isfinite(scores).all() and near)
