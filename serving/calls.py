"""What a client does, step by step, without doing it: the sync and the async client both run this.

A function here is a generator that yields an `Rpc` to be sent or a `Pause` to be made, is given
the response back (or the `ServerError`, which is thrown into it), and returns the result. So
retries, deadlines and the cutting of batches are written once.

Example:
  >>> steps = call(STATUS, None, Patience())
  >>> next(steps).method.path
  '/tensorflow.serving.ModelService/GetModelStatus'
"""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, TypeVar, Union

from prodcls_tf.errors import InputError, ServerError
from serving import exchange, messages
from serving.exchange import Model, Row
from serving.results import Answer, ModelVersion


class Method(NamedTuple):
    """A method of a service: its path, and the class of its response."""

    path: str
    response: Any


PREDICT = Method("/tensorflow.serving.PredictionService/Predict", messages.PredictResponse)
METADATA = Method(
    "/tensorflow.serving.PredictionService/GetModelMetadata", messages.GetModelMetadataResponse
)
STATUS = Method("/tensorflow.serving.ModelService/GetModelStatus", messages.GetModelStatusResponse)
HEALTH = Method("/grpc.health.v1.Health/Check", messages.HealthCheckResponse)


class Rpc(NamedTuple):
    """One request to be sent; its deadline is `timeout` seconds away."""

    method: Method
    request: Any
    timeout: float


class Pause(NamedTuple):
    """Seconds to wait."""

    seconds: float


_logger = logging.getLogger(__name__)

# The details of CANCELLED where the client itself ended the request.
CLOSED = "the client is closed"

_T = TypeVar("_T")
Steps = Generator[Union[Rpc, Pause], Any, _T]

# How often a server that is not ready is asked again, and how long it may take to say so.
_READY_EVERY = 0.2
_READY_TIMEOUT = 5.0


@dataclass(frozen=True)
class Patience:
    """How long an answer is waited for, and how often a request is sent again.

    Only UNAVAILABLE is tried again: the server is away or its queue is full, so nothing was done
    and the same request may succeed. The pauses double from `first` to `longest` seconds, each
    shortened by chance by up to a half, so that many clients do not come back at once.

    Args:
      timeout: seconds for one request, all its repetitions included.
      retries: repetitions at most; None for as many as the time holds.
      first: seconds before the first repetition.
      longest: seconds between two repetitions, at most.
    """

    timeout: float = 30.0
    retries: Optional[int] = 5
    first: float = 0.1
    longest: float = 5.0

    def __post_init__(self) -> None:
        if not self.timeout > 0 or (self.retries or 0) < 0:
            raise InputError(
                "A timeout must be more than 0 seconds, and retries 0 or more. Received "
                f"timeout={self.timeout}, retries={self.retries}."
            )

    def pause(self, repetition: int) -> float:
        """Returns the seconds to wait before a repetition, counted from 1."""
        # Beyond 2**60 a float may overflow, and every pause is the longest by then.
        pause = min(self.longest, self.first * 2.0 ** min(repetition - 1, 60))
        return pause * random.uniform(0.5, 1.0)


def call(method: Method, request: Any, patience: Patience) -> Steps[Any]:
    """Sends one request, again where waiting may help, and returns the response."""
    deadline = time.monotonic() + patience.timeout
    for repetition in itertools.count(1):
        try:
            return (yield Rpc(method, request, max(deadline - time.monotonic(), 1e-3)))
        except ServerError as error:
            pause = patience.pause(repetition)
            spent = patience.retries is not None and repetition > patience.retries
            late = time.monotonic() + pause >= deadline
            if not _passes(error) or spent or late:
                raise
            _logger.info("%s: %s, again in %.1f s", method.path, error.code, pause)
        yield Pause(pause)
    raise AssertionError("counting does not end")


def _passes(error: ServerError) -> bool:
    """Whether the same request may be answered later."""
    # gRPC for Python says so where all threads of a server are taken; with other words the code
    # is of a message that is too large, which stays so.
    busy = error.code == "RESOURCE_EXHAUSTED" and "Concurrent RPC limit" in error.details
    # What gRPC has not handed to a server when that stops is cancelled.
    stopped = error.code == "CANCELLED" and error.details != CLOSED
    return error.code == "UNAVAILABLE" or busy or stopped


def classify(
    model: Model,
    fields: Sequence[str],
    rows: Sequence[Row],
    *,
    batch_size: int,
    max_bytes: int,
    patience: Patience,
) -> Steps[list[Answer]]:
    """Asks about rows, in batches of rows of like length: a batch costs what its longest costs."""
    order = sorted(range(len(rows)), key=lambda row: sum(map(len, rows[row])))
    answered: dict[int, Answer] = {}
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        batch = [rows[place] for place in places]
        found = yield from _ask(model, fields, batch, max_bytes, patience)
        answered.update(zip(places, found, strict=True))
    return [answered[place] for place in range(len(rows))]


def _ask(
    model: Model, fields: Sequence[str], rows: Sequence[Row], max_bytes: int, patience: Patience
) -> Steps[list[Answer]]:
    """Asks about one batch; in halves if it is too large for this client or for the server."""
    request = exchange.predict_request(model, fields, rows)
    size = request.ByteSize()
    if size <= max_bytes:
        try:
            response = yield from call(PREDICT, request, patience)
            return exchange.answers(response, len(rows))
        except ServerError as error:
            if len(rows) == 1 or not _too_large(error):
                raise
    elif len(rows) == 1:
        raise InputError(
            f"A row must fit into a message of {max_bytes:,} bytes. Received one of {size:,}. "
            "Cut its text, or give client and server a larger max_message_bytes."
        )
    middle = len(rows) // 2
    answers: list[Answer] = []
    for half in (rows[:middle], rows[middle:]):
        answers += yield from _ask(model, fields, half, max_bytes, patience)
    return answers


def _too_large(error: ServerError) -> bool:
    """Whether fewer rows could help: a message over a limit, or more rows than a batch may have."""
    message = error.code == "RESOURCE_EXHAUSTED" and "larger than max" in error.details
    batch = error.code == "INVALID_ARGUMENT" and "larger than maximum" in error.details
    return message or batch


def fields(model: Model, patience: Patience) -> Steps[list[str]]:
    """Learns the names of the model's inputs, the title first."""
    request = messages.GetModelMetadataRequest(
        model_spec=model.spec(), metadata_field=["signature_def"]
    )
    response = yield from call(METADATA, request, patience)
    return exchange.fields_of(response, model.signature)


def status(model: Model, patience: Patience) -> Steps[list[ModelVersion]]:
    """Asks which versions there are and how they are."""
    request = messages.GetModelStatusRequest(model_spec=model.spec())
    response = yield from call(STATUS, request, patience)
    return exchange.versions_of(response)


def health(service: str, patience: Patience) -> Steps[str]:
    """Asks the standard health service."""
    response = yield from call(HEALTH, messages.HealthCheckRequest(service=service), patience)
    known = messages.HealthCheckResponse.ServingStatus
    return known.Name(response.status) if response.status in known.values() else "UNKNOWN"


def wait_until_ready(model: Model, timeout: float) -> Steps[ModelVersion]:
    """Asks for the status until a version is available, and returns that version."""
    deadline = time.monotonic() + timeout
    seen = "no answer"
    while (left := deadline - time.monotonic()) > 0:
        try:
            versions = yield from status(model, Patience(min(left, _READY_TIMEOUT), retries=0))
            available = [version for version in versions if version.available]
            if available:
                return available[0]
            seen = ", ".join(f"{v.version} {v.state} {v.error}".strip() for v in versions)
        except ServerError as error:
            if error.code not in ("UNAVAILABLE", "NOT_FOUND", "DEADLINE_EXCEEDED"):
                raise
            seen = f"{error.code}: {error.details}"
        yield Pause(min(_READY_EVERY, max(deadline - time.monotonic(), 0.0)))
    raise ServerError(
        f"The model {model} must be served within {timeout:g} s. Received last: {seen}. "
        "Look into the server's log.",
        "DEADLINE_EXCEEDED",
        seen,
    )
