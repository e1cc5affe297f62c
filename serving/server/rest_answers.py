"""What a REST request is answered: arrays and messages into JSON, written as TF Serving writes it.

Strings that are no UTF-8 get replacement characters, so that an answer is always JSON; outputs
whose name ends in `_bytes` lose nothing, they are base64.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping

import numpy as np
from google.protobuf.json_format import MessageToJson
from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from serving.server.status import Code, ServingError

_BYTES_SUFFIX = "_bytes"
_SIGNATURES = "signature_def"


def predictions(outputs: Mapping[str, np.ndarray]) -> str:
    """Writes the answer to a predict request in row format.

    Args:
      outputs: by alias, all [rows, ...].

    Returns:
      JSON: `{"predictions": [...]}`, for each row its value if there is one output, an object
      with a value for each alias otherwise.

    Raises:
      ServingError: INVALID_ARGUMENT, the outputs do not have one and the same number of rows.

    Example:
      >>> print(predictions({"y": np.array([3.5, 4.0], np.float32)}))
      {
          "predictions": [3.5, 4.0]
      }
    """
    rows = -1
    for alias, array in outputs.items():
        if array.ndim == 0:
            raise _invalid(f"Tensor name: {alias} has no shape information ")
        if rows not in (-1, len(array)):
            raise _invalid(
                f"Tensor name: {alias} has inconsistent batch size: {len(array)} expecting: {rows}"
            )
        rows = len(array)
    written = {alias: [*_rows(alias, array)] for alias, array in outputs.items()}
    if len(written) == 1:
        (values,) = written.values()
        return _object(predictions=_list(values, ", "))
    records = [
        "\n        {" + ",".join(f"\n            {_name(a)}: {v[row]}" for a, v in written.items())
        + "\n        }"
        for row in range(rows)
    ]  # fmt: skip
    return _object(predictions="[" + ",".join(records) + "\n    ]")


def outputs(arrays: Mapping[str, np.ndarray]) -> str:
    """Writes the answer to a predict request in column format.

    Args:
      arrays: outputs by alias, of any shapes.

    Returns:
      JSON: `{"outputs": ...}`, the value if there is one output, else an object by alias.
    """
    written = {alias: _nested(_leaves(alias, a), a.shape) for alias, a in arrays.items()}
    if len(written) == 1:
        (value,) = written.values()
        return _object(outputs=value)
    members = ",".join(f"\n        {_name(alias)}: {value}" for alias, value in written.items())
    return _object(outputs="{" + members + "\n    }")


def classifications(result: ClassificationResult) -> str:
    """Writes the answer to a classify request: for each example its labels with scores."""
    examples = []
    for classified in result.classifications:
        scores = _decimals(np.array([entry.score for entry in classified.classes], np.float32))
        pairs = zip(classified.classes, scores, strict=True)
        examples.append(_list([f"[{_string(entry.label)}, {score}]" for entry, score in pairs]))
    return _object(results=_list(examples))


def regressions(result: RegressionResult) -> str:
    """Writes the answer to a regress request: for each example its value."""
    values = np.array([entry.value for entry in result.regressions], np.float32)
    return _object(results=_list(_decimals(values)))


def status(response: GetModelStatusResponse) -> str:
    """Writes the states of a model's versions."""
    # An OK is left out of a message, and TF Serving's answers all have one.
    for version in response.model_version_status:
        version.status.SetInParent()
    return MessageToJson(response, including_default_value_fields=True, indent=1)


def metadata(response: GetModelMetadataResponse) -> str:
    """Writes a model's signatures."""
    signatures = SignatureDefMap()
    response.metadata[_SIGNATURES].Unpack(signatures)
    spec, written = (
        MessageToJson(
            message, including_default_value_fields=True, preserving_proto_field_name=True, indent=1
        )
        for message in (response.model_spec, signatures)
    )
    return f'{{\n"model_spec":{spec},\n"metadata": {{"{_SIGNATURES}": {written}}}\n}}\n'


def error(message: str) -> str:
    """Writes why a request failed."""
    return _object(error=_string(message))


def _object(**member: str) -> str:
    ((name, value),) = member.items()
    return f'{{\n    "{name}": {value}\n}}'


def _list(values: list[str], separator: str = ", ") -> str:
    return f"[{separator.join(values)}]"


def _rows(alias: str, array: np.ndarray) -> list[str]:
    """Each row's value, written."""
    leaves, shape = _leaves(alias, array), array.shape[1:]
    size = math.prod(shape)
    return [_nested(leaves[n * size : (n + 1) * size], shape) for n in range(len(array))]


def _nested(leaves: list[str], shape: tuple[int, ...]) -> str:
    """Writes values as lists in lists."""
    if not shape:
        return leaves[0]
    if len(shape) == 1:
        return _list(leaves)
    size = math.prod(shape[1:])
    return _list([_nested(leaves[n * size : (n + 1) * size], shape[1:]) for n in range(shape[0])])


def _leaves(alias: str, array: np.ndarray) -> list[str]:
    write = _WRITERS.get(array.dtype.kind)
    if write is None:
        raise _invalid(f"Failed to write JSON value for tensor type: {array.dtype}")
    if array.dtype == object and alias.endswith(_BYTES_SUFFIX):
        write = _base64
    return write(array.ravel())


def _decimals(values: np.ndarray) -> list[str]:
    """Six digits if these say it all, as many as it takes otherwise; always a decimal."""
    written = [f"{value:g}" for value in values.tolist()]
    wide = values.dtype if values.dtype.itemsize > 2 else np.dtype(np.float32)
    digits = 17 if wide.itemsize == 8 else 9
    lost = np.array(written, np.float64).astype(wide) != values
    for place in np.flatnonzero(lost & np.isfinite(values)):
        written[place] = f"{values[place]:.{digits}g}"
    return [
        _SPECIAL.get(text) or (text if set(text) & {".", "e"} else f"{text}.0") for text in written
    ]


_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _strings(values: np.ndarray) -> list[str]:
    return [_string(value.decode("utf-8", errors="replace")) for value in values.tolist()]


def _base64(values: np.ndarray) -> list[str]:
    return [f'{{"b64": "{base64.b64encode(value).decode()}"}}' for value in values.tolist()]


def _whole(values: np.ndarray) -> list[str]:
    return [str(value) for value in values.tolist()]


def _bools(values: np.ndarray) -> list[str]:
    return ["true" if value else "false" for value in values.tolist()]


_WRITERS: dict[str, Callable[[np.ndarray], list[str]]] = {
    "f": _decimals,
    "O": _strings,
    "i": _whole,
    "u": _whole,
    "b": _bools,
}


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _name(alias: str) -> str:
    return _string(alias)


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
