"""The core's calls as gRPC services: PredictionService, ModelService, health and reflection."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Optional

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_reflection.v1alpha import reflection, reflection_pb2
from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from prodcls_tf.errors import SettingsError
from serving.server import health
from serving.server.config import ServerOptions
from serving.server.gate import Gate
from serving.server.health import Health
from serving.server.inference import Inference
from serving.server.management import Management
from serving.server.metrics import Metrics, explained
from serving.server.status import Code, ServingError

_PREDICTION = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name
_MODEL = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name
SERVICES = (_PREDICTION, _MODEL, health.SERVICE)

# Beside those for predictions: threads for what must be answered under load, too.
_SPARE_THREADS = 8
_REFLECTION_THREADS = 4
# TF Serving's bound; a header of more than 8 KiB would be refused by the client.
_LONGEST_MESSAGE = 1024
# How long gRPC has to hand out the last answers when all of them are made.
_FLUSH_SECONDS = 2.0

# What protobuf prints of a request that `_parsed` refuses.
warnings.filterwarnings("ignore", "Unexpected end-group tag")

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class _Call(NamedTuple):
    """A method of a service.

    Attributes:
      request: class of its requests.
      answer: takes a request and a deadline, returns a response.
      predicts: whether it is counted, and bounded.
    """

    request: type[Message]
    answer: Callable[[Any, Optional[float]], Message]
    predicts: bool = True


class GrpcFace:
    """Listens for gRPC calls from `start` until `stop`.

    Args:
      options: addresses and bounds.
      inference: answers PredictionService.
      management: answers ModelService.
      metrics: counts.
      serving: what the health service asks, see `Health`.
      credentials: for TLS; None for plain text.

    Attributes:
      health: to be told when a version has moved.
      port: that it listens on.
    """

    def __init__(
        self,
        options: ServerOptions,
        inference: Inference,
        management: Management,
        metrics: Metrics,
        serving: Callable[[str], Optional[bool]],
        credentials: Optional[grpc.ServerCredentials] = None,
    ) -> None:
        self._metrics = metrics
        self._gate = Gate(options.grpc_max_threads)
        self.health = Health(lambda name: serving("" if name in SERVICES else name))
        threads = options.grpc_max_threads + _SPARE_THREADS
        self._pool = ThreadPoolExecutor(threads, "grpc")
        self._reflection_pool = ThreadPoolExecutor(_REFLECTION_THREADS, "grpc-reflection")
        self._server = grpc.server(
            self._pool,
            options=_channel_options(options),
            # Calls beyond the threads wait a moment, for a thread to answer or refuse them.
            maximum_concurrent_rpcs=4 * threads + health.MOST_WATCHERS,
        )
        self._add_service(_PREDICTION, _prediction_calls(inference))
        self._add_service(_MODEL, _model_calls(management))
        self._server.add_generic_rpc_handlers((self.health.handler(),))
        if options.enable_reflection:
            self._server.add_generic_rpc_handlers((self._reflection(),))
        self.port = self._listen(options, credentials)

    def start(self) -> None:
        """Takes calls from now on."""
        self._server.start()

    def refuse(self) -> None:
        """Says NOT_SERVING and takes no further predictions; those under way go on."""
        self.health.stop()
        self._gate.close()

    def stop(self, until: float) -> bool:
        """Waits for the predictions under way, then closes all connections.

        Args:
          until: on the clock of `time.monotonic`, when to wait no longer.

        Returns:
          Whether all were answered.
        """
        self.refuse()
        done = self._gate.wait_until_empty(until)
        left = max(0.0, until - time.monotonic())
        self._server.stop(min(_FLUSH_SECONDS, left) if done else 0).wait(_FLUSH_SECONDS + 1)
        self.health.close()
        for pool in (self._pool, self._reflection_pool):
            pool.shutdown(wait=False)
        return done

    def _add_service(self, name: str, calls: dict[str, _Call]) -> None:
        handlers = {
            method: grpc.unary_unary_rpc_method_handler(self._behavior(method, call))
            for method, call in calls.items()
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(name, handlers),)
        )
        self._server.add_registered_method_handlers(name, handlers)

    def _behavior(self, method: str, call: _Call) -> Callable[[bytes, Any], bytes]:
        """A method from bytes to bytes: gRPC would parse all requests in one thread."""

        def behave(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                return self._answer(method, call, request, context)
            except ServingError as error:
                failure = error
            context.abort(_CODES[failure.code.number], _cut(failure.message))
            raise AssertionError("abort has raised")

        return behave

    def _answer(
        self, method: str, call: _Call, request: bytes, context: grpc.ServicerContext
    ) -> bytes:
        left = context.time_remaining()
        deadline = None if math.isinf(left) else time.monotonic() + left
        message = call.request()
        if not _parsed(message, request):
            raise ServingError(Code.INTERNAL, f"The request is no {call.request.__name__}")
        if not call.predicts:
            with explained(method):
                return call.answer(message, deadline).SerializeToString()
        with self._metrics.request(_model_name(message), method, "GRPC"), self._gate.passing():
            if left <= 0 or not context.is_active():
                raise ServingError(Code.DEADLINE_EXCEEDED, "Nobody waits for the answer any more.")
            try:
                return call.answer(message, deadline).SerializeToString()
            except ServingError as error:
                if deadline is None or time.monotonic() < deadline:
                    raise
                # A batch that expired in its queue is RESOURCE_EXHAUSTED to the core. Whoever has
                # set a deadline is told of that, whether this comes before the own clock or after.
                raise ServingError(Code.DEADLINE_EXCEEDED, error.message) from None

    def _reflection(self) -> grpc.GenericRpcHandler:
        servicer = reflection.ReflectionServicer((*SERVICES, reflection.SERVICE_NAME))

        def info(requests: Any, context: grpc.ServicerContext) -> Any:
            return servicer.ServerReflectionInfo(requests, context)

        # A stream holds its thread for as long as the client likes.
        info.experimental_thread_pool = self._reflection_pool  # type: ignore[attr-defined]
        handler = grpc.stream_stream_rpc_method_handler(
            info,
            reflection_pb2.ServerReflectionRequest.FromString,
            reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(
            reflection.SERVICE_NAME, {"ServerReflectionInfo": handler}
        )

    def _listen(self, options: ServerOptions, credentials: Optional[grpc.ServerCredentials]) -> int:
        port = self._bind(f"{_bracketed(options.host)}:{options.port}", credentials)
        if options.grpc_socket_path:
            self._bind(f"unix:{options.grpc_socket_path}", credentials)
        return port

    def _bind(self, address: str, credentials: Optional[grpc.ServerCredentials]) -> int:
        try:
            if credentials is None:
                return int(self._server.add_insecure_port(address))
            return int(self._server.add_secure_port(address, credentials))
        except RuntimeError:
            raise SettingsError(
                f"The server must be able to listen on {address}. Received: the address is not "
                "this machine's, or another program listens there. Name another --port or --host, "
                "or stop that program."
            ) from None


def _prediction_calls(inference: Inference) -> dict[str, _Call]:
    return {
        "Predict": _Call(PredictRequest, inference.predict),
        "Classify": _Call(ClassificationRequest, inference.classify),
        "Regress": _Call(RegressionRequest, inference.regress),
        "MultiInference": _Call(MultiInferenceRequest, inference.multi_inference),
        "GetModelMetadata": _Call(
            GetModelMetadataRequest, inference.get_model_metadata, predicts=False
        ),
    }


def _model_calls(management: Management) -> dict[str, _Call]:
    return {
        "GetModelStatus": _Call(
            GetModelStatusRequest,
            lambda request, deadline: management.get_model_status(request),
            predicts=False,
        ),
        "HandleReloadConfigRequest": _Call(
            ReloadConfigRequest, management.handle_reload_config_request, predicts=False
        ),
    }


def _parsed(message: Message, request: bytes) -> bool:
    try:
        # It stops at a stray end of a group, and then has read less than there is.
        return message.ParseFromString(request) == len(request)
    except DecodeError:
        return False


def _model_name(request: Any) -> str:
    if isinstance(request, MultiInferenceRequest):
        return request.tasks[0].model_spec.name if request.tasks else ""
    return str(request.model_spec.name)


def _cut(message: str) -> str:
    """Bounds a message; whatever is no text in it becomes a mark."""
    encoded = message.encode("utf-8", errors="replace")
    if len(encoded) <= _LONGEST_MESSAGE:
        return encoded.decode("utf-8")
    return encoded[:_LONGEST_MESSAGE].decode("utf-8", errors="ignore") + "...TRUNCATED"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _channel_options(options: ServerOptions) -> Sequence[tuple[str, int]]:
    return (
        ("grpc.max_receive_message_length", options.max_message_bytes),
        ("grpc.max_send_message_length", options.max_message_bytes),
        # Two servers on one port would share its clients at random.
        ("grpc.so_reuseport", 0),
        # A client that is gone without a word holds its calls no longer than a minute.
        ("grpc.keepalive_time_ms", 40_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # Clients may ask as often for a sign of life.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    )
