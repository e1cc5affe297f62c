from __future__ import annotations

import numpy as np
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.model_pb2 import ModelSpec

from serving.server import requests
from serving.server.status import Code, ServingError
from serving.server.tensors import to_proto
from tests.serving.server.loaded import load_tiny_model, strings


@pytest.fixture(scope="module")
def servable(tmp_path_factory):
    loaded = load_tiny_model(tmp_path_factory.mktemp("model"))
    yield loaded
    loaded.close()


@pytest.fixture
def signature(servable) -> SignatureDef:
    return servable.signatures["serving_default"]


@pytest.fixture
def with_default(signature) -> SignatureDef:
    """The signature, in which the description may be left out."""
    changed = SignatureDef()
    changed.CopyFrom(signature)
    changed.defaults["description"].CopyFrom(to_proto(strings(b"none")))
    return changed


def texts(*aliases: str) -> dict[str, TensorProto]:
    return {alias: to_proto(strings(b"pan")) for alias in aliases}


def refusal(call, *arguments) -> str:
    with pytest.raises(ServingError) as caught:
        call(*arguments)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def test_without_a_name_the_default_signature_is_meant():
    assert requests.signature_key(ModelSpec(name="m")) == "serving_default"
    assert requests.signature_key(ModelSpec(name="m", signature_name="classify")) == "classify"


@pytest.mark.parametrize(
    ("find", "code", "begin"),
    [
        (
            requests.predict_signature,
            Code.FAILED_PRECONDITION,
            'Serving signature key "x" not found.',
        ),
        (requests.rest_signature, Code.INVALID_ARGUMENT, 'Serving signature name: "x" not found'),
        (
            requests.example_signature,
            Code.INVALID_ARGUMENT,
            "No signature was found with the name: x",
        ),
    ],
)
def test_an_unknown_signature_is_refused_with_the_known_ones_named(servable, find, code, begin):
    with pytest.raises(ServingError) as caught:
        find(servable, "x")
    assert caught.value.code is code
    assert caught.value.message.startswith(begin)
    assert "classify, evaluate, numbers" in caught.value.message
    assert "__saved_model" not in caught.value.message


def test_inputs_that_fit_are_read(signature):
    inputs = requests.parsed_inputs(signature, texts("title", "description"))
    assert {alias: array.tolist() for alias, array in inputs.items()} == {
        "title": [b"pan"],
        "description": [b"pan"],
    }


def test_a_missing_input_is_named(signature):
    message = refusal(requests.parsed_inputs, signature, texts("title"))
    assert message == (
        "input size does not match signature: 1!=2 len({title}) != len({description,title}). "
        "Sent extra: {}. Missing but required: {description}."
    )


def test_an_extra_input_is_named(signature):
    message = refusal(requests.parsed_inputs, signature, texts("title", "description", "colour"))
    assert message.startswith("input size does not match signature: 3!=2 ")
    assert "Sent extra: {colour}" in message


def test_a_wrong_name_among_the_right_number_of_inputs_is_refused(signature):
    message = refusal(requests.parsed_inputs, signature, texts("title", "colour"))
    assert message.startswith("Signature input alias: description")
    assert "not found in request" in message


def test_an_input_with_a_default_value_may_be_left_out(with_default):
    inputs = requests.parsed_inputs(with_default, texts("title"))
    assert inputs["description"].tolist() == [b"none"]
    inputs = requests.checked(with_default, {"title": strings(b"a")})
    assert inputs["description"].tolist() == [b"none"]


def test_an_input_without_a_default_value_may_not_be_left_out(with_default):
    message = refusal(requests.parsed_inputs, with_default, texts("description"))
    assert message.startswith("Signature input alias: title")


def test_a_wrong_name_is_refused_where_others_have_default_values(with_default):
    message = refusal(requests.parsed_inputs, with_default, texts("title", "colour"))
    assert message.startswith("Inputs contains invalid name.")


def test_a_tensor_that_cannot_be_read_is_refused_with_its_alias(signature):
    broken = TensorProto(dtype=types_pb2.DT_STRING, tensor_shape={"unknown_rank": True})
    inputs = {**texts("description"), "title": broken}
    message = refusal(requests.parsed_inputs, signature, inputs)
    assert message.startswith("tensor parsing error: title")


def test_a_wrong_type_is_refused_with_both_named(signature):
    arrays = {"title": np.array([1.0], np.float32), "description": strings(b"")}
    message = refusal(requests.checked, signature, arrays)
    assert message.startswith('Expects input "title" to be string but float32 is provided')


@pytest.mark.parametrize("array", [np.array(b"a", object), np.array([[b"a"]], object)])
def test_a_wrong_rank_is_refused_with_both_shapes_named(signature, array):
    message = refusal(requests.checked, signature, {"title": array, "description": strings(b"")})
    assert message.startswith('Expects input "title" to have the shape [-1] but ')


def test_a_wrong_size_is_refused_where_the_signature_has_one(signature):
    fixed = SignatureDef()
    fixed.CopyFrom(signature)
    fixed.inputs["title"].tensor_shape.dim[0].size = 2
    arrays = {"title": strings(b"a", b"b"), "description": strings(b"")}
    assert list(requests.checked(fixed, arrays)) == ["title", "description"]
    arrays["title"] = strings(b"a", b"b", b"c")
    assert "[2] but [3]" in refusal(requests.checked, fixed, arrays)


def test_any_shape_fits_where_the_signature_does_not_know_it(signature):
    free = SignatureDef()
    free.CopyFrom(signature)
    free.inputs["title"].tensor_shape.Clear()
    free.inputs["title"].tensor_shape.unknown_rank = True
    arrays = {"title": np.array(b"a", object), "description": strings(b"")}
    assert requests.checked(free, arrays)["title"].shape == ()


def test_without_a_filter_all_outputs_are_wanted(signature):
    assert requests.chosen_outputs(signature, []) == ["categories", "scores"]
    assert requests.chosen_outputs(signature, ["scores"]) == ["scores"]


def test_an_unknown_output_is_refused_with_the_known_ones_named(signature):
    message = refusal(requests.chosen_outputs, signature, ["scores", "x"])
    assert message.startswith("output tensor alias not found in signature: x")
    assert "{categories,scores}" in message


def test_a_repeated_output_is_refused(signature):
    message = refusal(requests.chosen_outputs, signature, ["scores", "scores"])
    assert message.startswith("duplicate output tensor alias: scores")


def test_rows_are_counted_where_all_inputs_have_as_many():
    assert requests.batch_size({"a": np.zeros((4, 2)), "b": np.zeros(4)}) == 4


@pytest.mark.parametrize(
    ("inputs", "begin"),
    [
        ({}, "Batching Run() must have at least one input tensor"),
        ({"a": np.array(1)}, "Batching Run() input tensors must have at least one dimension"),
        (
            {"a": np.zeros(2), "b": np.zeros(3)},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
    ],
)
def test_inputs_that_cannot_share_a_batch_are_refused(inputs, begin):
    assert refusal(requests.batch_size, inputs).startswith(begin)
