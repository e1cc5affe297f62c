"""What a REST predict request says: JSON into arrays, by the rules of TF Serving's REST API."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import numpy as np
from tensorflow.core.framework import types_pb2 as types
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

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
    signature_name,
)
from serving.server.status import Code, ServingError

_INSTANCES, _INPUTS = "instances", "inputs"

# TensorFlow's own bound.
_MOST_DIMENSIONS = 254
_LARGEST_FLOAT = float(np.finfo(np.float32).max)


class _Kind(NamedTuple):
    """What JSON values become in a tensor of one type."""

    dtype: Any
    values: frozenset[type]


def _kind(dtype: Any, *values: type) -> _Kind:
    return _Kind(dtype, frozenset(values))


# TF Serving reads no others, half and bfloat16 among them.
_KINDS = {
    types.DT_FLOAT: _kind(np.float32, int, float),
    types.DT_DOUBLE: _kind(np.float64, int, float),
    types.DT_INT8: _kind(np.int8, int),
    types.DT_INT16: _kind(np.int16, int),
    types.DT_INT32: _kind(np.int32, int),
    types.DT_INT64: _kind(np.int64, int),
    types.DT_UINT8: _kind(np.uint8, int),
    types.DT_UINT32: _kind(np.uint32, int),
    types.DT_UINT64: _kind(np.uint64, int),
    types.DT_BOOL: _kind(np.bool_, bool),
    types.DT_STRING: _kind(object, str),
}


def is_by_rows(document: Document) -> bool:
    """Says whether a predict request is in row format, as its answer is then."""
    return _INSTANCES in document


def predict_inputs(document: Document, signature: SignatureDef) -> dict[str, np.ndarray]:
    """Reads the inputs of a predict request.

    Args:
      document: with `instances` (row format) or `inputs` (column format).
      signature: the one that it names.

    Returns:
      The inputs by alias.

    Raises:
      ServingError: INVALID_ARGUMENT, they do not fit the signature; UNIMPLEMENTED for a type that
        JSON does not bring.

    Example:
      >>> signature = SignatureDef()
      >>> signature.inputs["title"].dtype = types.DT_STRING
      >>> predict_inputs({"instances": ["a", "b"]}, signature)["title"]
      array([b'a', b'b'], dtype=object)
    """
    if not signature.inputs:
        name = signature_name(document) or "DEFAULT"
        raise invalid(f"Failed to get input map for signature: {name}")
    expected = {alias: info.dtype for alias, info in sorted(signature.inputs.items())}
    if _INSTANCES in document and _INPUTS in document:
        raise invalid(
            f"JSON Value: {shown(document)} Not formatted correctly expecting only one of "
            f"'{_INPUTS}' or '{_INSTANCES}' keys to exist "
        )
    if _INSTANCES in document:
        return _from_rows(document, expected)
    if _INPUTS in document:
        return _from_columns(document[_INPUTS], expected)
    raise invalid(f"Missing '{_INPUTS}' or '{_INSTANCES}' key")


def _from_rows(document: Document, expected: Mapping[str, int]) -> dict[str, np.ndarray]:
    rows = document[_INSTANCES]
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {shown(document)} Excepting '{_INSTANCES}' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {shown(document)} No values in '{_INSTANCES}' array")
    named = _is_record(rows[0])
    if not named and len(expected) > 1:
        raise invalid(
            f"{_INSTANCES} is a plain list, but expecting list of objects as multiple input "
            "tensors required as per tensorinfo_map"
        )
    columns = {alias: _Column(dtype) for alias, dtype in expected.items()}
    for number, row in enumerate(rows):
        if _is_record(row) != named:
            found = "object but got list" if named else "value/list but got object"
            raise invalid(f"Expecting {found} at item {number} of input list")
        place = f"element: {number}"
        for alias, value in (row if named else {next(iter(columns)): row}).items():
            key = f" key: {printable(alias)}" if named else ""
            _add(columns, alias, value, f"{place}{key} of '{_INSTANCES}' list.")
        if named and len(row) != len(columns):
            raise invalid(
                f"Failed to process {place} of '{_INSTANCES}' list. JSON object: {shown(row)} keys "
                f"must be equal to: {','.join(columns)}"
            )
    return {alias: column.array(len(rows)) for alias, column in columns.items()}


def _add(columns: Mapping[str, _Column], alias: str, value: Any, place: str) -> None:
    try:
        if alias not in columns:
            raise invalid(f"JSON object: does not have named input: {printable(alias)}")
        columns[alias].add(value)
    except ServingError as error:
        raise ServingError(error.code, f"Failed to process {place} Error: {error}") from None


def _from_columns(value: Any, expected: Mapping[str, int]) -> dict[str, np.ndarray]:
    if not _is_record(value):
        if len(expected) > 1:
            raise invalid(
                f"{_INPUTS} is a plain value/list, but expecting an object as multiple input "
                "tensors required as per tensorinfo_map"
            )
        value = {next(iter(expected)): value}
    arrays = {}
    for alias, dtype in expected.items():
        if alias not in value:
            raise invalid(f"Missing named input: {alias} in '{_INPUTS}' object.")
        column = _Column(dtype)
        column.add(value[alias])
        arrays[alias] = column.array()
    return arrays


class _Column:
    """The values of one input, row after row.

    Args:
      dtype: number of its type.
    """

    def __init__(self, dtype: int) -> None:
        self._number = dtype
        self._kind = _KINDS.get(dtype, _Kind(None, frozenset()))
        self._values: list[Any] = []
        self._shape: Optional[tuple[int, ...]] = None

    def add(self, value: Any) -> None:
        """Adds a row's value, which must have the shape of the others."""
        shape = _shape(value)
        before = len(self._values)
        _flatten(value, shape, 0, self._values)
        self._check_types(before)
        if self._shape is None:
            self._shape = shape
        elif math.prod(shape) != math.prod(self._shape):
            raise invalid(
                f"Expecting tensor size: {math.prod(self._shape)} but got: {math.prod(shape)}"
            )
        elif shape != self._shape:
            raise invalid(f"Expecting shape {_sizes(self._shape)} but got: {_sizes(shape)}")

    def array(self, *rows: int) -> np.ndarray:
        """Returns all values: [*rows, *shape of one]."""
        shape = (*rows, *(self._shape or ()))
        if self._kind.dtype is object:
            array = np.empty(len(self._values), object)
            array[:] = [_bytes(value) for value in self._values]
            return array.reshape(shape)
        _check_range(self._values, self._number, self._kind.dtype)
        return np.array(self._values, self._kind.dtype).reshape(shape)

    def _check_types(self, start: int) -> None:
        added = self._values[start:]
        if self._kind.values.issuperset(map(type, added)):
            return
        for value in added:
            if type(value) in self._kind.values or (
                self._number == types.DT_STRING and isinstance(value, dict)
            ):
                continue
            if self._kind.dtype is None:
                raise ServingError(
                    Code.UNIMPLEMENTED,
                    f"Conversion of JSON Value: {shown(value)} to type: {_name(self._number)}",
                )
            raise _type_error(value, self._number)


def _shape(value: Any) -> tuple[int, ...]:
    """The shape that a nested list has if it has any: that of its first elements."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    if len(shape) > _MOST_DIMENSIONS:
        raise invalid(f"A tensor has at most {_MOST_DIMENSIONS} dimensions. Got: {len(shape)}")
    return tuple(shape)


def _flatten(value: Any, shape: tuple[int, ...], level: int, into: list[Any]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON "
                f"DOM. Expected at level: {len(shape)}"
            )
        into.append(value)
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}"
        )
    if level + 1 == len(shape) and list not in map(type, value):
        into.extend(value)
        return
    for item in value:
        _flatten(item, shape, level + 1, into)


def _check_range(values: list[Any], number: int, dtype: Any) -> None:
    """Refuses numbers that the type does not hold, whole ones that it does not hold exactly."""
    if number in (types.DT_FLOAT, types.DT_DOUBLE):
        most = 2 ** (np.finfo(dtype).nmant + 1) - 1
        for value in values:
            if not is_lossless(value, most, _LARGEST_FLOAT if number == types.DT_FLOAT else None):
                raise lossy(value, _name(number))
    elif number != types.DT_BOOL:
        limits = np.iinfo(dtype)
        for value in values:
            if not limits.min <= value <= limits.max:
                raise _type_error(value, number)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return encoded(value)
    if not is_base64(value):
        raise invalid(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    return from_base64(value)


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _type_error(value: Any, number: int) -> ServingError:
    return invalid(
        f"JSON Value: {shown(value)} Type: {json_name(value)} is not of expected type: "
        f"{_name(number)}"
    )


def _name(number: int) -> str:
    return types.DataType.Name(number)[len("DT_") :].lower()


def _sizes(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
