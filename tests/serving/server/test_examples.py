from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.input_pb2 import Input

from serving.server import examples
from serving.server.status import Code, ServingError
from tests.serving.server.loaded import strings


def signature(inputs: list[str], outputs: list[str], method: str = "") -> SignatureDef:
    made = SignatureDef(method_name=method)
    for alias in inputs:
        made.inputs[alias].name = f"{alias}:0"
    for alias in outputs:
        made.outputs[alias].name = f"{alias}:0"
    return made


def example(**texts: bytes) -> tf.train.Example:
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
                for name, text in texts.items()
            }
        )
    )


@pytest.mark.parametrize("outputs", [["classes"], ["scores"], ["classes", "scores"]])
def test_classify_takes_classes_scores_or_both(outputs):
    made = signature(["inputs"], outputs)
    assert examples.classify_outputs(made, check_method=False) == outputs


@pytest.mark.parametrize(
    ("inputs", "outputs", "code", "begin"),
    [
        (["a", "b"], ["scores"], Code.INVALID_ARGUMENT, "Expected one input Tensor."),
        (["a"], ["scores"], Code.FAILED_PRECONDITION, "No classification inputs found"),
        (["inputs"], ["a", "b", "c"], Code.INVALID_ARGUMENT, "Expected one or two output Tensors"),
        (
            ["inputs"],
            ["a", "b"],
            Code.FAILED_PRECONDITION,
            "Expected classification signature outputs to contain at least one of ",
        ),
    ],
)
def test_a_signature_that_cannot_classify_is_refused(inputs, outputs, code, begin):
    with pytest.raises(ServingError) as caught:
        examples.classify_outputs(signature(inputs, outputs), check_method=False)
    assert caught.value.code is code
    assert caught.value.message.startswith(begin)


@pytest.mark.parametrize(
    ("inputs", "outputs", "code", "begin"),
    [
        (["a", "b"], ["outputs"], Code.INVALID_ARGUMENT, "Expected one input Tensor."),
        (["a"], ["outputs"], Code.FAILED_PRECONDITION, "No regression inputs found"),
        (["inputs"], ["a", "b"], Code.INVALID_ARGUMENT, "Expected one output Tensor."),
        (["inputs"], ["a"], Code.FAILED_PRECONDITION, "No regression outputs found"),
    ],
)
def test_a_signature_that_cannot_regress_is_refused(inputs, outputs, code, begin):
    with pytest.raises(ServingError) as caught:
        examples.regress_outputs(signature(inputs, outputs), check_method=False)
    assert caught.value.code is code
    assert caught.value.message.startswith(begin)


def test_the_method_name_is_asked_if_told_so():
    method = "tensorflow/serving/predict"
    with pytest.raises(ServingError) as caught:
        examples.regress_outputs(signature(["inputs"], ["outputs"], method), check_method=True)
    assert caught.value.message == (
        "Expected regression signature method_name to be tensorflow/serving/regress. "
        "Was: tensorflow/serving/predict"
    )
    with pytest.raises(ServingError, match="to be tensorflow/serving/classify. Was: "):
        examples.classify_outputs(signature(["inputs"], ["scores"], method), check_method=True)
    right = signature(["inputs"], ["outputs"], "tensorflow/serving/regress")
    assert examples.regress_outputs(right, check_method=True) == ["outputs"]


def test_examples_are_serialized_in_order():
    message = Input()
    message.example_list.examples.extend([example(t=b"a"), example(t=b"b")])
    rows = examples.serialized_examples(message)
    assert [tf.train.Example.FromString(row) for row in rows] == [example(t=b"a"), example(t=b"b")]


def test_the_context_is_part_of_each_example():
    message = Input()
    message.example_list_with_context.context.CopyFrom(example(shop=b"s"))
    message.example_list_with_context.examples.extend([example(t=b"a"), example(t=b"b")])
    rows = examples.serialized_examples(message)
    assert tf.train.Example.FromString(rows[1]) == example(shop=b"s", t=b"b")


@pytest.mark.parametrize("kind", [None, "example_list", "example_list_with_context"])
def test_no_examples_are_refused(kind):
    message = Input()
    if kind:
        getattr(message, kind).SetInParent()
    with pytest.raises(ServingError, match="Input is empty.") as caught:
        examples.serialized_examples(message)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_classes_get_labels_and_scores():
    outputs = {
        "classes": np.array([[b"a", "猫".encode()], [b"c", b"\xff"]], object),
        "scores": np.array([[0.75, 0.25], [0.5, 0.5]], np.float32),
    }
    result = examples.classification_result(outputs, 2)
    assert [
        [(found.label, found.score) for found in row.classes] for row in result.classifications
    ] == [[("a", 0.75), ("猫", 0.25)], [("c", 0.5), ("\ufffd", 0.5)]]


def test_scores_alone_have_no_labels():
    result = examples.classification_result({"scores": np.array([[1]], np.float32)}, 1)
    assert (result.classifications[0].classes[0].label, len(result.classifications)) == ("", 1)


@pytest.mark.parametrize(
    ("outputs", "begin"),
    [
        ({"classes": strings(b"a")}, "Expected Tensor shape: [batch_size num_classes]"),
        ({"classes": np.ones((1, 1), np.float32)}, "Expected classes Tensor of DT_STRING"),
        ({"scores": np.ones((1, 1), np.int64)}, "Expected scores Tensor of DT_FLOAT"),
        ({"scores": np.ones((2, 1), np.float32)}, "Expected scores output batch size of 1"),
        (
            {"classes": np.array([[b"a"]], object), "scores": np.ones((1, 2), np.float32)},
            "Tensors class and score should match in dim_size(1). Got 1 vs. 2",
        ),
    ],
)
def test_classes_in_another_form_are_refused(outputs, begin):
    with pytest.raises(ServingError) as caught:
        examples.classification_result(outputs, 1)
    assert caught.value.message.startswith(begin)


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_values_are_a_column_or_a_list(shape):
    array = np.array([1, 2], np.float32).reshape(shape)
    result = examples.regression_result({"outputs": array}, 2)
    assert [found.value for found in result.regressions] == [1, 2]


@pytest.mark.parametrize(
    ("array", "begin"),
    [
        (np.ones((1, 2), np.float32), "Expected output Tensor shape to be either [batch_size]"),
        (np.ones(2, np.float32), "Input batch size did not match output batch size: 1 vs. 2"),
        (np.ones(1, np.int32), "Expected output Tensor of DT_FLOAT."),
    ],
)
def test_values_in_another_form_are_refused(array, begin):
    with pytest.raises(ServingError) as caught:
        examples.regression_result({"outputs": array}, 1)
    assert caught.value.message.startswith(begin)
