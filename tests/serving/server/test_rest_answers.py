from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from serving.server import rest_answers
from serving.server.status import Code, ServingError


def strings(*values):
    return np.array(values, object)


def test_rows_of_several_outputs_are_objects():
    written = rest_answers.predictions(
        {
            "categories": strings([b"a", "猫".encode()], [b'"', b"\n"]),
            "scores": np.array([[0.25, 1], [1e-7, 0.1]], np.float32),
        }
    )
    assert json.loads(written) == {
        "predictions": [
            {"categories": ["a", "猫"], "scores": [0.25, 1.0]},
            {"categories": ['"', "\n"], "scores": [1e-07, 0.1]},
        ]
    }


def test_single_output_goes_without_its_name():
    assert json.loads(rest_answers.predictions({"y": np.array([[1], [2]])})) == {
        "predictions": [[1], [2]]
    }
    assert json.loads(rest_answers.outputs({"y": np.array([[1], [2]])})) == {"outputs": [[1], [2]]}


def test_columns_may_have_any_shapes():
    written = rest_answers.outputs(
        {"none": np.zeros((0, 2), np.int32), "one": np.array(True), "cube": np.ones((1, 2, 1))}
    )
    assert json.loads(written) == {"outputs": {"none": [], "one": True, "cube": [[[1.0], [1.0]]]}}


def test_bytes_are_base64_where_the_name_says_so():
    written = rest_answers.predictions({"image_bytes": strings(b"\xff\x00")})
    assert json.loads(written) == {"predictions": [{"b64": "/wA="}]}


def test_strings_that_are_no_utf8_leave_the_answer_json():
    assert json.loads(rest_answers.outputs({"text": strings(b"a\xff")})) == {"outputs": ["a\ufffd"]}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (np.float32(0.2), "0.2"),
        (np.float32(3), "3.0"),
        (np.float32(9e6), "9e+06"),
        (np.float32(0.123456789), "0.123456791"),
        (np.float64(0.1) + 0.2, "0.30000000000000004"),
        (np.float16(0.1), "0.0999755859"),
        (np.float32("nan"), "NaN"),
        (np.float32("inf"), "Infinity"),
        (np.float32("-inf"), "-Infinity"),
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (np.int8(-1), "-1"),
    ],
)
def test_numbers_are_written_as_tf_serving_writes_them(value, written):
    assert f'"outputs": {written}\n' in rest_answers.outputs({"y": np.array(value)})


@given(st.lists(st.floats(width=32), max_size=20))
def test_numbers_come_back_as_they_were(values):
    array = np.array(values, np.float32)
    read = json.loads(rest_answers.outputs({"y": array}))["outputs"]
    np.testing.assert_array_equal(np.array(read, np.float32), array)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"y": np.array(1)}, "Tensor name: y has no shape information"),
        (
            {"x": np.zeros(2), "y": np.zeros(3)},
            "Tensor name: y has inconsistent batch size: 3 expecting: 2",
        ),
        ({"y": np.zeros(1, np.complex64)}, "Failed to write JSON value for tensor type"),
    ],
)
def test_outputs_that_are_no_rows_are_refused_with_the_message_of_tf_serving(outputs, message):
    with pytest.raises(ServingError) as caught:
        rest_answers.predictions(outputs)
    assert caught.value.code == Code.INVALID_ARGUMENT
    assert caught.value.message.startswith(message)


def test_classifications_are_pairs():
    result = ClassificationResult()
    result.classifications.add().classes.add(label="a", score=0.5)
    result.classifications.add()
    written = json.loads(rest_answers.classifications(result))
    assert written == {"results": [[["a", 0.5]], []]}


def test_regressions_are_values():
    result = RegressionResult()
    result.regressions.add(value=1.5)
    assert json.loads(rest_answers.regressions(result)) == {"results": [1.5]}


def test_status_says_every_field_in_the_names_of_the_protocol():
    response = GetModelStatusResponse()
    response.model_version_status.add(version=2, state=30)
    broken = response.model_version_status.add(version=1, state=50)
    broken.status.error_code, broken.status.error_message = 13, "no graph"
    assert json.loads(rest_answers.status(response)) == {
        "model_version_status": [
            {
                "version": "2",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            },
            {
                "version": "1",
                "state": "END",
                "status": {"error_code": "INTERNAL", "error_message": "no graph"},
            },
        ]
    }


def test_metadata_says_the_signatures_in_the_names_of_the_protocol():
    signatures = SignatureDefMap()
    title = signatures.signature_def["serving_default"].inputs["title"]
    title.dtype, title.name = types_pb2.DT_STRING, "title:0"
    title.tensor_shape.dim.add(size=-1)
    response = GetModelMetadataResponse()
    response.model_spec.name = "prodcls"
    response.model_spec.version.value = 3
    response.metadata["signature_def"].Pack(signatures)
    written = json.loads(rest_answers.metadata(response))
    assert written["model_spec"] == {"name": "prodcls", "signature_name": "", "version": "3"}
    signature = written["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == ""
    assert signature["inputs"]["title"] == {
        "dtype": "DT_STRING",
        "name": "title:0",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
    }


def test_error_is_an_object_with_the_message():
    assert json.loads(rest_answers.error('no "猫"\n')) == {"error": 'no "猫"\n'}
