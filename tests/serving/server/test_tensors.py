from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto

from serving.server.status import Code, ServingError
from serving.server.tensors import to_array, to_proto, type_number

NUMBERS = [
    np.float16, np.float32, np.float64, tf.bfloat16.as_numpy_dtype,
    np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64,
    np.bool_, np.complex64, np.complex128,
]  # fmt: skip


def proto(dtype: int, shape: list[int], **values: object) -> TensorProto:
    return TensorProto(
        dtype=dtype, tensor_shape={"dim": [{"size": size} for size in shape]}, **values
    )


def refusal(message: TensorProto) -> ServingError:
    with pytest.raises(ServingError, match="tensor parsing error: x") as caught:
        to_array(message, "x")
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value


def array_or_none(message: TensorProto) -> np.ndarray | None:
    """What a message holds, or None if it is refused as a client's fault."""
    try:
        return to_array(message, "x")
    except ServingError as error:
        if error.code is not Code.INVALID_ARGUMENT:
            raise
        return None


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize("dtype", NUMBERS, ids=lambda dtype: np.dtype(dtype).name)
def test_numbers_come_back_as_they_went(dtype, as_content):
    array = np.array([[0, 1, 2], [100, 27, 5]]).astype(dtype)
    message = to_proto(array, as_content=as_content)
    back = to_array(message, "x")
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    np.testing.assert_array_equal(tf.make_ndarray(message), array)


@pytest.mark.parametrize("dtype", NUMBERS, ids=lambda dtype: np.dtype(dtype).name)
def test_numbers_of_a_client_with_tensorflow_are_read(dtype):
    array = np.array([[1, 0], [3, 7]]).astype(dtype)
    np.testing.assert_array_equal(to_array(tf.make_tensor_proto(array), "x"), array)


def test_numbers_stand_in_their_typed_field_unless_told_otherwise():
    array = np.array([1.5, 2.5], np.float32)
    assert to_proto(array).float_val == [1.5, 2.5]
    assert to_proto(array, as_content=True).tensor_content == array.tobytes()


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3)])
def test_scalars_and_empty_tensors_keep_their_shape(shape):
    assert to_array(to_proto(np.zeros(shape, np.float32)), "x").shape == shape
    assert to_array(to_proto(np.full(shape, b"a", object)), "x").shape == shape


@pytest.mark.parametrize("value", [b"", b"a\0b", b"\xff\xfe\xc3", "שלום 😀".encode(), b"x" * 10**6])
def test_any_bytes_go_through(value):
    array = np.array([[value, b"other"]], object)
    np.testing.assert_array_equal(to_array(to_proto(array), "x"), array)


def test_values_left_out_repeat_the_last_one():
    message = proto(types_pb2.DT_INT64, [2, 2], int64_val=[1, 2])
    np.testing.assert_array_equal(to_array(message, "x"), [[1, 2], [2, 2]])
    message = proto(types_pb2.DT_STRING, [3], string_val=[b"a"])
    assert to_array(message, "x").tolist() == [b"a", b"a", b"a"]


def test_without_any_value_there_are_zeros_or_empty_strings():
    assert to_array(proto(types_pb2.DT_FLOAT, [2]), "x").tolist() == [0.0, 0.0]
    assert to_array(proto(types_pb2.DT_STRING, [2]), "x").tolist() == [b"", b""]


def test_values_too_many_are_left_out():
    assert to_array(proto(types_pb2.DT_INT32, [1], int_val=[1, 2]), "x").tolist() == [1]
    assert to_array(proto(types_pb2.DT_STRING, [1], string_val=[b"a", b"b"]), "x").tolist() == [
        b"a"
    ]


def test_strings_as_raw_content_are_read():
    long = b"x" * 300
    content = bytes([2, 0, 0xAC, 2]) + b"ab" + long
    message = proto(types_pb2.DT_STRING, [3], tensor_content=content)
    assert to_array(message, "x").tolist() == [b"ab", b"", long]


@pytest.mark.parametrize(
    "content",
    [b"\x05ab", b"\x80", b"\x80\x80\x80\x80\x80\x80", b"\x01ab", b"\xff\xff\xff\xff\x0fa"],
)
def test_strings_as_broken_raw_content_are_refused(content):
    refusal(proto(types_pb2.DT_STRING, [1], tensor_content=content))


def test_raw_content_of_another_length_is_refused():
    refusal(proto(types_pb2.DT_FLOAT, [2], tensor_content=b"12345"))
    refusal(proto(types_pb2.DT_STRING, [9], tensor_content=b"\x01a"))


@pytest.mark.parametrize(
    "dtype",
    [
        types_pb2.DT_INVALID,
        types_pb2.DT_RESOURCE,
        types_pb2.DT_VARIANT,
        types_pb2.DT_FLOAT_REF,
        9999,
    ],
)
def test_types_that_cannot_be_sent_are_refused(dtype):
    refusal(proto(dtype, [1], float_val=[1.0]))


def test_a_shape_that_is_not_fully_known_is_refused():
    refusal(proto(types_pb2.DT_FLOAT, [-1], float_val=[1.0]))
    refusal(TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape={"unknown_rank": True}))


@pytest.mark.parametrize("shape", [[2**40], [2**62, 2**62], [0, 2**62, 2**62], [1] * 40])
@pytest.mark.parametrize("dtype", [types_pb2.DT_FLOAT, types_pb2.DT_STRING])
def test_a_small_message_cannot_ask_for_a_huge_tensor(dtype, shape):
    refusal(proto(dtype, shape))


def test_half_a_complex_number_is_refused():
    refusal(proto(types_pb2.DT_COMPLEX64, [1], scomplex_val=[1.0]))


def test_small_integers_that_overflow_wrap_as_in_tensorflow():
    assert to_array(proto(types_pb2.DT_INT8, [2], int_val=[300, -129]), "x").tolist() == [44, 127]


def test_an_array_without_a_type_for_messages_is_refused():
    array = np.array(["text"])
    assert type_number(array) == types_pb2.DT_INVALID
    with pytest.raises(ServingError, match="numbers or strings"):
        to_proto(array)


@given(
    dtype=st.integers(0, 30),
    shape=st.lists(st.integers(-2, 2**63 - 1) | st.integers(0, 3), max_size=4),
    content=st.binary(max_size=20),
    floats=st.lists(st.floats(width=32), max_size=4),
    texts=st.lists(st.binary(max_size=4), max_size=4),
)
def test_whatever_is_sent_is_a_tensor_or_refused(dtype, shape, content, floats, texts):
    message = proto(
        dtype, shape, tensor_content=content, float_val=floats, string_val=texts, int_val=[1]
    )
    array = array_or_none(message)
    assert array is None or list(array.shape) == shape


@given(st.binary(max_size=60))
def test_random_bytes_are_a_tensor_or_refused(data):
    try:
        message = TensorProto.FromString(data)
    except DecodeError:
        return
    array = array_or_none(message)
    assert array is None or array.size == np.prod(array.shape)
