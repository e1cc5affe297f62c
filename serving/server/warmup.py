"""The first requests of a new version, asked before it serves.

TensorFlow plans a graph when it is first run, once for each set of outputs; a version that brings
requests of its own has that behind it when the first client's request comes.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from google.protobuf.message import DecodeError

# What `tf.compat.v1.io.tf_record_iterator` returns, without its warning that one should have
# TensorFlow's eager runtime, which a server of sessions has no use for.
from tensorflow.python.lib.io._pywrap_record_io import RecordIterator
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from serving.server.batching import DirectRunner
from serving.server.inference import Inference
from serving.server.repository import WARMUP_FILE
from serving.server.servable import Servable
from serving.server.status import Code, ServingError, from_tensorflow

logger = logging.getLogger(__name__)

MOST_RECORDS = 1000


def warm_up(servable: Servable) -> None:
    """Asks a version all requests of its warm-up file, if it has one.

    Args:
      servable: a loaded version that does not serve yet.

    Raises:
      ServingError: the file is corrupt (DATA_LOSS), holds too many records or what is no
        `PredictionLog` (INVALID_ARGUMENT), or the version fails on a request.

    Example:
      >>> registry = Registry(Servable.load, warm=warm_up)  # doctest: +SKIP
    """
    path = servable.folder / WARMUP_FILE
    if not path.is_file():
        return
    began = time.monotonic()
    # Counted first: a file that is refused must not cost a thousand runs of the model.
    records = sum(1 for _ in itertools.islice(_records(path), MOST_RECORDS + 1))
    if records > MOST_RECORDS:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {path}",
        )
    inference = Inference(_Single(servable), DirectRunner())
    for number, record in enumerate(_records(path), start=1):
        _ask(inference, servable, record, f"Warmup record {number} of {path}")
    logger.info(
        "Version %d of model %s is warm: %d requests in %.1f s",
        servable.id.version, servable.id.name, records, time.monotonic() - began,
    )  # fmt: skip


class _Single:
    """Lends the one version whatever is asked for: a record does not know how it is served."""

    def __init__(self, servable: Servable) -> None:
        self._servable = servable

    def acquire(
        self, name: str, version: Optional[int] = None, label: Optional[str] = None
    ) -> contextlib.AbstractContextManager[Servable]:
        return contextlib.nullcontext(self._servable)


def _records(path: Path) -> Iterator[bytes]:
    try:
        yield from RecordIterator(str(path), "")
    except Exception as error:  # TensorFlow's kinds: a checksum, a length, the file itself
        told = from_tensorflow(error)
        raise ServingError(
            told.code, f"{told.message}. Please verify your warmup data is in TFRecord format."
        ) from error


def _ask(inference: Inference, servable: Servable, record: bytes, called: str) -> None:
    try:
        _replay(inference, servable, PredictionLog.FromString(record), called)
    except DecodeError as error:
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Failed to parse warmup record: {called} is no PredictionLog"
        ) from error
    except ServingError as error:
        raise ServingError(error.code, f"{called} failed: {error.message}") from error


def _replay(inference: Inference, servable: Servable, log: PredictionLog, called: str) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        inference.predict(_addressed(log.predict_log.request, servable))
    elif kind == "classify_log":
        inference.classify(_addressed(log.classify_log.request, servable))
    elif kind == "regress_log":
        inference.regress(_addressed(log.regress_log.request, servable))
    elif kind == "multi_inference_log":
        for task in log.multi_inference_log.request.tasks:
            _addressed(task, servable)
        inference.multi_inference(log.multi_inference_log.request)
    elif kind is None:
        raise ServingError(Code.UNIMPLEMENTED, "Unsupported log_type for warmup: 0")
    else:
        # Calls that this server does not have; a version is no worse for them.
        logger.warning("%s is a %s, which is left out.", called, kind)


def _addressed(request: Any, servable: Servable) -> Any:
    """Names a model in a request, since none is answered without; keeps the signature."""
    request.model_spec.name = servable.id.name
    return request
