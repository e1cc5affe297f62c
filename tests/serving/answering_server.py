"""A small real gRPC server with faults on demand, in this process or in one of its own.

It answers Predict, GetModelMetadata, GetModelStatus and health with the real generated messages.
In a process of its own: python -m tests.serving.answering_server PORT [SECONDS_A_REQUEST]
"""

from __future__ import annotations

import contextlib
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any, Optional

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

CATEGORIES = ["Audio > Headphones", "Home > Cookware", "Pets > Cats > 猫粮"]
WORDS = ["headphones", "pan", "猫"]

Columns = dict[str, list[str]]
Rows = list[list[tuple[str, float]]]


def answer_by_words(columns: Columns) -> Rows:
    """The category whose word stands in a row comes first; a row's answer is its own."""
    answers = []
    for texts in zip(*columns.values(), strict=True):
        text = " ".join(texts).lower()
        found = [word in text for word in WORDS]
        total = 3.0 + 7.0 * sum(found)
        scored = [
            ((1 + 7 * hit) / total, path) for hit, path in zip(found, CATEGORIES, strict=True)
        ]
        answers.append([(path, score) for score, path in sorted(scored, key=lambda s: -s[0])])
    return answers


@dataclass
class AnsweringServer:
    """A server of one model.

    Attributes:
      answer: makes the answers of a batch.
      fields: the model's inputs.
      delay: seconds that a Predict takes.
      faults: codes and messages that the next requests fail with, first to last.
      most_rows: larger batches are refused as TensorFlow Serving's batching refuses them.
      as_content: tensors are written as bytes instead of values.
      state: of the version, as GetModelStatus tells it.
      asked: rows of each Predict that was answered.
      specs: the model specs of these.
    """

    answer: Callable[[Columns], Rows] = answer_by_words
    fields: tuple[str, ...] = ("title", "description")
    model: str = "prodcls"
    version: int = 3
    port: int = 0
    delay: float = 0.0
    faults: list[tuple[grpc.StatusCode, str]] = field(default_factory=list)
    most_rows: int = 10**9
    max_message_bytes: int = 16 << 20
    as_content: bool = False
    credentials: Optional[grpc.ServerCredentials] = None
    state: int = 30
    asked: list[int] = field(default_factory=list)
    specs: list[Any] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[AnsweringServer]:
        """Serves until the block ends; the port stays the same when it is started again."""
        length = self.max_message_bytes
        server = grpc.server(
            futures.ThreadPoolExecutor(16),
            options=[
                ("grpc.max_receive_message_length", length),
                ("grpc.max_send_message_length", length),
                ("grpc.so_reuseport", 0),
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            _Predicting(self), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Reporting(self), server)
        healthy = health.HealthServicer()
        healthy.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
        address = f"127.0.0.1:{self.port}"
        if self.credentials is None:
            self.port = server.add_insecure_port(address)
        else:
            self.port = server.add_secure_port(address, self.credentials)
        server.start()
        self.stopped.clear()
        try:
            yield self
        finally:
            stopping = server.stop(None)
            self.stopped.set()
            stopping.wait(10)

    def fail_if_told(self, context: grpc.ServicerContext) -> None:
        if self.faults:
            code, details = self.faults.pop(0)
            context.abort(code, details)


class _Predicting(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, server: AnsweringServer) -> None:
        self._server = server
        self._lock = threading.Lock()

    def Predict(self, request, context):  # noqa: N802  (gRPC's name)
        server = self._server
        server.fail_if_told(context)
        if request.model_spec.name != server.model:
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"Servable not found for request: Latest({request.model_spec.name})",
            )
        if set(request.inputs) != set(server.fields):
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "input size does not match signature: 1"
            )
        columns = {
            name: [text.decode("utf-8") for text in request.inputs[name].string_val]
            for name in server.fields
        }
        rows = len(columns[server.fields[0]])
        for tensor in request.inputs.values():
            assert tensor.dtype == types_pb2.DT_STRING
            assert [dim.size for dim in tensor.tensor_shape.dim] == [rows]
        if rows > server.most_rows:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"Task size {rows} is larger than maximum input batch size {server.most_rows}",
            )
        server.stopped.wait(server.delay)
        response = _response(server.answer(columns), server.as_content)
        response.model_spec.name = server.model
        response.model_spec.version.value = server.version
        with self._lock:
            server.asked.append(rows)
            server.specs.append(request.model_spec)
        return response

    def GetModelMetadata(self, request, context):  # noqa: N802  (gRPC's name)
        server = self._server
        server.fail_if_told(context)
        assert list(request.metadata_field) == ["signature_def"]
        signatures = get_model_metadata_pb2.SignatureDefMap()
        signature = signatures.signature_def["serving_default"]
        for name in server.fields:
            signature.inputs[name].dtype = types_pb2.DT_STRING
            signature.inputs[name].name = f"{name}:0"
            signature.inputs[name].tensor_shape.dim.add(size=-1)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        response.metadata["signature_def"].Pack(signatures)
        return response


class _Reporting(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, server: AnsweringServer) -> None:
        self._server = server

    def GetModelStatus(self, request, context):  # noqa: N802  (gRPC's name)
        self._server.fail_if_told(context)
        if request.model_spec.name != self._server.model:
            context.abort(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model")
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=self._server.version, state=self._server.state)
        broken = response.model_version_status.add(version=self._server.version + 1, state=50)
        broken.status.error_code = 13
        broken.status.error_message = "no graph"
        return response


def _response(answers: Rows, as_content: bool) -> predict_pb2.PredictResponse:
    response = predict_pb2.PredictResponse()
    paths = [path.encode("utf-8") for answer in answers for path, _ in answer]
    scores = [score for answer in answers for _, score in answer]
    categories, values = response.outputs["categories"], response.outputs["scores"]
    categories.dtype, values.dtype = types_pb2.DT_STRING, types_pb2.DT_FLOAT
    for tensor in (categories, values):
        tensor.tensor_shape.dim.add(size=len(answers))
        tensor.tensor_shape.dim.add(size=len(answers[0]))
    if as_content:
        # TensorFlow's own packing: all lengths (a byte for each short one), then all bytes.
        categories.tensor_content = bytes(map(len, paths)) + b"".join(paths)
        values.tensor_content = struct.pack(f"<{len(scores)}f", *scores)
    else:
        categories.string_val.extend(paths)
        values.float_val.extend(scores)
    return response


def _main() -> None:
    port, delay = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    with AnsweringServer(port=port, delay=delay).running() as server:
        print(f"serving on {server.port}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    _main()
