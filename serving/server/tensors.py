"""TensorProto to numpy and back, by the rules of TensorFlow's own C++ code.

`tf.make_ndarray` is close, but it trusts the message: it takes a shape that its values do not fill,
and one that needs more memory than the machine has.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto

from serving.server.status import Code, ServingError

# Values that a message leaves out are repeated from its last one. A small message may so ask for a
# tensor of any size; this is as much as it gets.
_MAX_FILLED_BYTES = 64 << 20
_STRING_BYTES = 24
# numpy has no more dimensions.
_MAX_RANK = 32


class _Kind(NamedTuple):
    """How the numbers of a type travel: in which field, as what, and what their bits mean."""

    field: str
    wire: Any
    bits: Any
    array: Any


_INT, _HALF = ("int_val", np.int32), ("half_val", np.int32)
_KINDS = {
    types_pb2.DT_FLOAT: _Kind("float_val", np.float32, np.float32, np.float32),
    types_pb2.DT_DOUBLE: _Kind("double_val", np.float64, np.float64, np.float64),
    types_pb2.DT_INT8: _Kind(*_INT, np.int8, np.int8),
    types_pb2.DT_INT16: _Kind(*_INT, np.int16, np.int16),
    types_pb2.DT_INT32: _Kind(*_INT, np.int32, np.int32),
    types_pb2.DT_INT64: _Kind("int64_val", np.int64, np.int64, np.int64),
    types_pb2.DT_UINT8: _Kind(*_INT, np.uint8, np.uint8),
    types_pb2.DT_UINT16: _Kind(*_INT, np.uint16, np.uint16),
    types_pb2.DT_UINT32: _Kind("uint32_val", np.uint32, np.uint32, np.uint32),
    types_pb2.DT_UINT64: _Kind("uint64_val", np.uint64, np.uint64, np.uint64),
    types_pb2.DT_BOOL: _Kind("bool_val", np.bool_, np.bool_, np.bool_),
    types_pb2.DT_HALF: _Kind(*_HALF, np.uint16, np.float16),
    types_pb2.DT_BFLOAT16: _Kind(*_HALF, np.uint16, tf.bfloat16.as_numpy_dtype),
    types_pb2.DT_COMPLEX64: _Kind("scomplex_val", np.float32, np.float32, np.complex64),
    types_pb2.DT_COMPLEX128: _Kind("dcomplex_val", np.float64, np.float64, np.complex128),
}
_BY_DTYPE = {np.dtype(kind.array): number for number, kind in _KINDS.items()}


def to_array(proto: TensorProto, alias: str) -> np.ndarray:
    """Reads a tensor.

    Args:
      proto: values in the typed field or, for numbers and strings alike, as raw content. Fewer
        values than the shape asks for are filled up with the last one; none at all mean zeros or
        empty strings.
      alias: of the input, for the error.

    Returns:
      The tensor, perhaps read-only; strings as an object array of bytes.

    Raises:
      ServingError: INVALID_ARGUMENT, it is no tensor, or of a type that no request can have.

    Example:
      >>> to_array(TensorProto(dtype=1, tensor_shape={"dim": [{"size": 2}]}, float_val=[3]), "x")
      array([3., 3.], dtype=float32)
    """
    try:
        shape = _shape(proto)
        if proto.dtype == types_pb2.DT_STRING:
            flat = _strings(proto, math.prod(shape))
        elif proto.dtype in _KINDS:
            flat = _numbers(proto, _KINDS[proto.dtype], math.prod(shape))
        else:
            raise ValueError(f"a tensor must have a type that can be sent, not {proto.dtype}")
        return flat.reshape(shape)
    except (ValueError, OverflowError) as error:
        # Where only the alias is told, a client does not learn what to mend.
        raise ServingError(
            Code.INVALID_ARGUMENT, f"tensor parsing error: {alias} ({error})"
        ) from error


def type_number(array: np.ndarray) -> int:
    """Returns TensorFlow's number for an array's type; DT_INVALID for one that cannot be sent."""
    if array.dtype.kind in "OS":
        return types_pb2.DT_STRING
    return _BY_DTYPE.get(array.dtype, types_pb2.DT_INVALID)


def to_proto(array: np.ndarray, *, as_content: bool = False) -> TensorProto:
    """Writes a tensor.

    Args:
      array: numbers, or an object array of bytes.
      as_content: whether numbers go as raw bytes, which is faster for large tensors. Without, they
        stand in their typed field, as TF Serving answers.

    Returns:
      The message.

    Raises:
      ServingError: INTERNAL, the array has a type that no message can have.
    """
    proto = TensorProto()
    write_tensor(array, proto, as_content=as_content)
    return proto


def write_tensor(array: np.ndarray, proto: TensorProto, *, as_content: bool = False) -> None:
    """Does what `to_proto` does, in an empty message that is there already."""
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    proto.dtype = number = type_number(array)
    if number == types_pb2.DT_STRING:
        proto.string_val.extend(array.ravel().tolist())
    elif number == types_pb2.DT_INVALID:
        raise ServingError(
            Code.INTERNAL, f"A model must answer numbers or strings. Received {array.dtype}."
        )
    elif as_content:
        proto.tensor_content = array.tobytes()
    else:
        kind = _KINDS[number]
        getattr(proto, kind.field).extend(np.ravel(array).view(kind.bits).tolist())


def _shape(proto: TensorProto) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError(f"all sizes of a shape must be known, not {list(shape)}")
    if len(shape) > _MAX_RANK:
        raise ValueError(f"a tensor must have at most {_MAX_RANK} dimensions, not {len(shape)}")
    return shape


def _numbers(proto: TensorProto, kind: _Kind, count: int) -> np.ndarray:
    array = np.dtype(kind.array)
    if proto.tensor_content:
        _check_count(len(proto.tensor_content), count * array.itemsize, "bytes")
        return np.frombuffer(proto.tensor_content, array)
    sent = getattr(proto, kind.field)
    values = np.fromiter(sent, kind.wire, len(sent)).astype(kind.bits, copy=False)
    if len(values) % (array.itemsize // values.itemsize):
        raise ValueError("a complex number must have two parts")
    values = values.view(array)
    if len(values) >= count:
        return values[:count]
    _check_filled(count * array.itemsize)
    filled = np.full(count, values[-1] if len(values) else 0, array)
    filled[: len(values)] = values
    return filled


def _strings(proto: TensorProto, count: int) -> np.ndarray:
    sent = (
        _content_strings(proto.tensor_content, count) if proto.tensor_content else proto.string_val
    )
    if len(sent) < count:
        _check_filled(count * _STRING_BYTES)
    array = np.empty(count, object)
    array[: len(sent)] = sent[:count]
    array[len(sent) :] = sent[-1] if len(sent) else b""
    return array


def _content_strings(content: bytes, count: int) -> list[bytes]:
    """Strings as raw content: all lengths as variable-length integers, then all bytes."""
    if count > len(content):
        raise ValueError(f"content of {len(content)} bytes must hold {count} strings")
    lengths, at = [], 0
    for _ in range(count):
        length = shift = 0
        while True:
            if at >= len(content) or shift > 28:
                raise ValueError("the content must begin with the strings' lengths")
            byte, at = content[at], at + 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lengths.append(length)
    _check_count(len(content) - at, sum(lengths), "bytes")
    strings = []
    for length in lengths:
        strings.append(content[at : at + length])
        at += length
    return strings


def _check_count(received: int, needed: int, what: str) -> None:
    if received != needed:
        raise ValueError(f"the content must have {needed} {what}, not {received}")


def _check_filled(size: int) -> None:
    if size > _MAX_FILLED_BYTES:
        raise ValueError(f"values that are left out must not stand for {size} bytes")
