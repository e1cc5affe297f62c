"""The embedded server in this process or in one of its own, and stubs to ask it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.server.config import ServerOptions
from serving.server.server import EmbeddedServer
from tests.conftest import ROOT

NAME = "prodcls"
LARGE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Asking:
    """A channel to a server, with its stubs."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(channel)

    def predict(self, *titles: str, timeout: Optional[float] = 30, **more: Any):
        return self.predictions.Predict(predict_request(*titles, **more), timeout=timeout)

    def slowly(self, milliseconds: int, timeout: Optional[float] = 60):
        """A call under way, of a request that takes about so long."""
        return self.predictions.Predict.future(slow_request(milliseconds), timeout=timeout)


def predict_request(*titles: str | bytes, name: str = NAME, signature: str = ""):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    array = np.array([t.encode() if isinstance(t, str) else t for t in titles], object)
    request.inputs["title"].CopyFrom(tf.make_tensor_proto(array, tf.string, [len(titles)]))
    blank = tf.make_tensor_proto([b""] * len(titles), tf.string, [len(titles)])
    request.inputs["description"].CopyFrom(blank)
    return request


def slow_request(milliseconds: int):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = NAME, "slow"
    request.inputs["rounds"].CopyFrom(tf.make_tensor_proto([milliseconds], tf.int32))
    return request


def classify_request(*titles: str):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = NAME, "classify"
    for title in titles:
        features = request.input.example_list.examples.add().features.feature
        features["title"].bytes_list.value.append(title.encode())
    return request


def options(base: Path, **more: Any) -> ServerOptions:
    given = {"model_name": NAME, "model_base_path": str(base), "port": 0, "rest_api_port": -1}
    return ServerOptions(**{**given, **more})


@contextlib.contextmanager
def running(base: Path, **more: Any) -> Iterator[EmbeddedServer]:
    """A server in this process."""
    server = EmbeddedServer(options(base, **more))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def asking(port: Optional[int], credentials: Optional[grpc.ChannelCredentials] = None):
    address = f"localhost:{port}"
    channel = (
        grpc.insecure_channel(address, LARGE)
        if credentials is None
        else grpc.secure_channel(address, credentials, LARGE)
    )
    with channel:
        yield Asking(channel)


def figures(server: EmbeddedServer) -> str:
    """What Prometheus is told."""
    address = f"http://localhost:{server.rest_port}{server.figures_path}"
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read().decode("utf-8")


def figure(server: EmbeddedServer, name: str, *labels: str) -> float:
    """The sum of all samples of a name that bear these labels."""
    lines = [line for line in figures(server).splitlines() if line.startswith(name + "{")]
    chosen = [line for line in lines if all(label in line for label in labels)]
    return sum(float(line.rpartition(" ")[2]) for line in chosen)


def in_flight(server: EmbeddedServer) -> float:
    return figure(server, "prodcls_serving_requests_in_flight")


def code_of(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    """How a call fails."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("the call did not fail")


def until(happened: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Process:
    """`python -m serving.server`, or another command, whose lines are read as they come."""

    def __init__(self, *arguments: object, program: tuple[str, ...] = ("-m", "serving.server")):
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, *program, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(30)
        self._reader.join(30)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def until_says(self, text: str, seconds: float = 120.0) -> str:
        """The line that holds a text."""

        def said() -> bool:
            assert text in self.output or self._process.poll() is None, self.output
            return text in self.output

        until(said, seconds)
        return next(line for line in self.lines if text in line)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 60.0) -> int:
        code = self._process.wait(seconds)
        self._reader.join(30)
        return code

    @property
    def pid(self) -> int:
        return self._process.pid

    def ports(self) -> tuple[int, int]:
        """Those of gRPC and REST, once it listens."""
        line = self.until_says("Serving gRPC on port")
        words = line.replace(",", " ").replace(".", " ").split()
        places = [place for place, word in enumerate(words) if word == "port"]
        return tuple(int(words[place + 1]) for place in places) if len(places) > 1 else (
            int(words[places[0] + 1]), 0,
        )  # fmt: skip
