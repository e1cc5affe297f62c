"""What a REST classify or regress request says: JSON into tf.Examples."""

from __future__ import annotations

from typing import Any

from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature
from tensorflow_serving.apis.input_pb2 import Input

from serving.server.rest_json import (
    Document,
    encoded,
    from_base64,
    invalid,
    is_base64,
    is_lossless,
    json_name,
    lossy,
    printable,
    shown,
)
from serving.server.status import ServingError

_EXAMPLES, _CONTEXT = "examples", "context"
_MOST_WHOLE_FLOAT = 2**24 - 1
_LARGEST_FLOAT = 3.4028234663852886e38

_KIND_NAMES = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def fill_input(document: Document, message: Input) -> None:
    """Reads the examples of a request.

    Args:
      document: with `examples`, a list of objects whose values are a feature's value or list of
        values, and perhaps `context`, an object with the features that all of them have.
      message: is filled.

    Raises:
      ServingError: INVALID_ARGUMENT, they cannot be read.

    Example:
      >>> message = Input()
      >>> fill_input({"examples": [{"title": "pan", "sizes": [1, 2]}]}, message)
      >>> message.example_list.examples[0].features.feature["title"].bytes_list.value
      [b'pan']
    """
    target = message.example_list.examples
    if _CONTEXT in document:
        target = message.example_list_with_context.examples
        _fill_example(document[_CONTEXT], message.example_list_with_context.context)
    if _EXAMPLES not in document:
        raise invalid(
            f"JSON Value: {shown(document)} When method is classify, key '{_EXAMPLES}' is expected "
            "and was not found"
        )
    examples = document[_EXAMPLES]
    if not isinstance(examples, list):
        raise invalid(
            f"JSON Value: {shown(document)} Expecting '{_EXAMPLES}' value to be an list/array"
        )
    if not examples:
        raise invalid(f"JSON Value: {shown(document)} '{_EXAMPLES}' value is an empty array")
    for example in examples:
        _fill_example(example, target.add())


def _fill_example(value: Any, example: Example) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {json_name(value)}")
    for name, content in value.items():
        feature = example.features.feature[printable(name)]
        for item in content if isinstance(content, list) else [content]:
            _add(item, printable(name), feature)


def _add(value: Any, name: str, feature: Feature) -> None:
    """Adds a value to a feature, which must be of its kind."""
    if isinstance(value, str):
        _values(feature, "bytes_list", name).append(encoded(value))
    elif is_base64(value):
        _values(feature, "bytes_list", name).append(from_base64(value))
    elif value is None or isinstance(value, (dict, list)):
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {json_name(value)}")
    elif isinstance(value, int) and -(2**63) <= value < 2**64:
        if value >= 2**63:
            raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
        _values(feature, "int64_list", name).append(int(value))
    else:
        if not is_lossless(value, _MOST_WHOLE_FLOAT, _LARGEST_FLOAT):
            raise lossy(value, "float")
        _values(feature, "float_list", name).append(float(value))


def _values(feature: Feature, kind: str, name: str) -> Any:
    present = feature.WhichOneof("kind")
    if present not in (None, kind):
        raise _mixed(name, present)
    return getattr(feature, kind).value


def _mixed(name: str, present: str) -> ServingError:
    return invalid(
        f"Unexpected element type in feature: {name} expecting type: {_KIND_NAMES[present]}"
    )
