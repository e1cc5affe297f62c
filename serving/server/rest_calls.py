"""A REST request's path and body to the core's calls, and their answers back to JSON; no HTTP."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import NamedTuple, Optional
from urllib.parse import unquote

from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from serving.server import rest_answers
from serving.server.inference import Inference
from serving.server.management import Management
from serving.server.rest_examples import fill_input
from serving.server.rest_json import invalid, parse_body, signature_name
from serving.server.rest_tensors import is_by_rows, predict_inputs
from serving.server.status import Code, ServingError

_WHICH = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_POST = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<call>classify|regress|predict)", re.IGNORECASE
)
_GET = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<call>metadata))?", re.IGNORECASE
)
_LARGEST_VERSION = 2**63 - 1


class Target(NamedTuple):
    """What a request's path asks for.

    Attributes:
      api: the call, as gRPC names it.
      spec: model, and version or label.
    """

    api: str
    spec: ModelSpec

    @property
    def predicts(self) -> bool:
        """Whether it is one of the calls that are counted and bounded."""
        return not self.api.startswith("Get")


def find_target(method: str, path: str) -> Target:
    """Reads a path below `/v1/`.

    Args:
      method: of the HTTP request.
      path: as it was sent, percent signs and all.

    Returns:
      The call and the model.

    Raises:
      ServingError: INVALID_ARGUMENT, there is no such call; TF Serving has no 404 or 405 here.

    Example:
      >>> find_target("GET", "/v1/models/prodcls/metadata").api
      'GetModelMetadata'
    """
    pattern = {"POST": _POST, "GET": _GET}.get(method)
    found = pattern.fullmatch(path) if pattern is not None else None
    if found is None:
        raise invalid(f"Malformed request: {method} {path}")
    if not found["name"]:
        raise invalid("Missing model name in request.")
    spec = ModelSpec(name=unquote(found["name"], errors="replace"))
    if found["version"]:
        if int(found["version"][:20]) > _LARGEST_VERSION:
            raise invalid(f"Failed to convert version: {found['version']} to numeric.")
        spec.version.value = int(found["version"])
    if found["label"]:
        spec.version_label = unquote(found["label"], errors="replace")
    if method == "POST":
        return Target(found["call"].capitalize(), spec)
    return Target("GetModelMetadata" if found["call"] else "GetModelStatus", spec)


class RestCalls:
    """Answers REST requests.

    Args:
      inference: answers predictions and metadata.
      management: answers status.

    Example:
      >>> calls = RestCalls(inference, management)  # doctest: +SKIP
      >>> target = find_target("POST", "/v1/models/prodcls:predict")  # doctest: +SKIP
      >>> calls.answer(target, b'{"instances": ["frying pan"]}')  # doctest: +SKIP
      '{"predictions": [...]}'
    """

    def __init__(self, inference: Inference, management: Management) -> None:
        self._inference = inference
        self._management = management
        self._calls: dict[str, Callable[[ModelSpec, bytes, Optional[float]], str]] = {
            "Predict": self._predict,
            "Classify": self._classify,
            "Regress": self._regress,
            "GetModelStatus": self._status,
            "GetModelMetadata": self._metadata,
        }

    def answer(self, target: Target, body: bytes = b"", deadline: Optional[float] = None) -> str:
        """Answers a request.

        Args:
          target: what it asks for.
          body: what was sent with it.
          deadline: on the clock of `time.monotonic`; None for none.

        Returns:
          JSON.

        Raises:
          ServingError: as the core says, or INVALID_ARGUMENT for a body that cannot be read.
        """
        return self._calls[target.api](target.spec, body, deadline)

    def _predict(self, spec: ModelSpec, body: bytes, deadline: Optional[float]) -> str:
        document = parse_body(body)
        spec.signature_name = signature_name(document)
        prediction = self._inference.answer(
            spec, lambda signature: predict_inputs(document, signature), deadline=deadline
        )
        arrays = dict(sorted(prediction.outputs.items()))
        if is_by_rows(document):
            return rest_answers.predictions(arrays)
        return rest_answers.outputs(arrays)

    def _classify(self, spec: ModelSpec, body: bytes, deadline: Optional[float]) -> str:
        document = parse_body(body)
        spec.signature_name = signature_name(document)
        request = ClassificationRequest(model_spec=spec)
        fill_input(document, request.input)
        response = self._inference.classify(request, deadline)
        return rest_answers.classifications(response.result)

    def _regress(self, spec: ModelSpec, body: bytes, deadline: Optional[float]) -> str:
        document = parse_body(body)
        spec.signature_name = signature_name(document)
        request = RegressionRequest(model_spec=spec)
        fill_input(document, request.input)
        return rest_answers.regressions(self._inference.regress(request, deadline).result)

    def _status(self, spec: ModelSpec, body: bytes, deadline: Optional[float]) -> str:
        response = self._management.get_model_status(GetModelStatusRequest(model_spec=spec))
        return rest_answers.status(response)

    def _metadata(self, spec: ModelSpec, body: bytes, deadline: Optional[float]) -> str:
        request = GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        return rest_answers.metadata(self._inference.get_model_metadata(request, deadline))


class TooLargeError(ServingError):
    """A body over the limit.

    Args:
      limit: in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            f"Received message larger than max ({limit} bytes). Send fewer rows at once.",
        )


def unpacked(body: bytes, limit: int) -> bytes:
    """Undoes gzip, up to a limit.

    Raises:
      ServingError: INVALID_ARGUMENT, it is no gzip; RESOURCE_EXHAUSTED, there is more in it.
    """
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = stream.decompress(body, limit + 1)
    except zlib.error:
        raise invalid("Failed to uncompress the gzipped body") from None
    if len(content) > limit:
        raise TooLargeError(limit)
    if not stream.eof:
        raise invalid("Failed to uncompress the gzipped body")
    return content
