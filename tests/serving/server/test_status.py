from __future__ import annotations

import grpc
import pytest
import tensorflow as tf

from prodcls_tf.errors import ProdclsError
from serving.server.status import Code, ServingError, from_tensorflow


def test_numbers_are_those_of_grpc():
    assert {code.name: code.number for code in Code} == {
        code.name: code.value[0] for code in grpc.StatusCode
    }


@pytest.mark.parametrize(
    ("code", "http"),
    [
        (Code.OK, 200),
        (Code.INVALID_ARGUMENT, 400),
        (Code.FAILED_PRECONDITION, 400),
        (Code.OUT_OF_RANGE, 400),
        (Code.NOT_FOUND, 404),
        (Code.RESOURCE_EXHAUSTED, 429),
        (Code.UNIMPLEMENTED, 501),
        (Code.UNAVAILABLE, 503),
        (Code.DEADLINE_EXCEEDED, 504),
        (Code.UNKNOWN, 500),
        (Code.INTERNAL, 500),
        (Code.DATA_LOSS, 500),
    ],
)
def test_http_status(code, http):
    assert code.http == http


def test_a_number_without_a_code_is_unknown():
    assert Code.of_number(5) is Code.NOT_FOUND
    assert Code.of_number(99) is Code.UNKNOWN


def test_an_error_says_its_code_and_message():
    error = ServingError(Code.NOT_FOUND, "Servable not found for request: Latest(x)")
    assert isinstance(error, ProdclsError)
    assert str(error) == "NOT_FOUND: Servable not found for request: Latest(x)"


def test_an_error_of_tensorflow_keeps_its_code_and_message():
    error = from_tensorflow(tf.errors.InvalidArgumentError(None, None, "bad shape"))
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, "bad shape")


def test_exhausted_memory_is_an_exhausted_resource():
    assert from_tensorflow(MemoryError()).code is Code.RESOURCE_EXHAUSTED


def test_any_other_error_is_internal():
    error = from_tensorflow(KeyError("x"))
    assert (error.code, error.message) == (Code.INTERNAL, "KeyError: 'x'")
