"""Classify and Regress: calls that send tf.Examples and get labels or values, not tensors."""

from __future__ import annotations

import numpy as np
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from serving.server.status import Code, ServingError

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
INPUTS, CLASSES, SCORES, OUTPUTS = "inputs", "classes", "scores", "outputs"


def classify_outputs(signature: SignatureDef, *, check_method: bool) -> list[str]:
    """Checks that a signature can answer Classify.

    Args:
      signature: the one that the request names.
      check_method: whether its method name must say so too; TF Serving does not ask unless told.

    Returns:
      The outputs to compute: `classes`, `scores` or both.

    Raises:
      ServingError: INVALID_ARGUMENT or FAILED_PRECONDITION, it cannot.
    """
    if check_method:
        _check_method(signature, "classification", CLASSIFY)
    _check_input(signature, "classification")
    if len(signature.outputs) not in (1, 2):
        raise _invalid(
            f"Expected one or two output Tensors, found {len(signature.outputs)}. Name a signature "
            f'with the outputs "{CLASSES}" and "{SCORES}".'
        )
    outputs = [alias for alias in (CLASSES, SCORES) if alias in signature.outputs]
    if not outputs:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            "Expected classification signature outputs to contain at least one of "
            f'"{CLASSES}" or "{SCORES}". Signature was: {signature}',
        )
    return outputs


def regress_outputs(signature: SignatureDef, *, check_method: bool) -> list[str]:
    """Checks that a signature can answer Regress, as `classify_outputs` does for Classify.

    Raises:
      ServingError: INVALID_ARGUMENT or FAILED_PRECONDITION, it cannot.
    """
    if check_method:
        _check_method(signature, "regression", REGRESS)
    _check_input(signature, "regression")
    if len(signature.outputs) != 1:
        raise _invalid(
            f'Expected one output Tensor. Name a signature with the output "{OUTPUTS}" alone.'
        )
    if OUTPUTS not in signature.outputs:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f"No regression outputs found in SignatureDef: {signature}",
        )
    return [OUTPUTS]


def serialized_examples(message: Input) -> np.ndarray:
    """Turns a request's examples into what a graph parses.

    Args:
      message: a list of examples, perhaps with a context whose features all of them have.

    Returns:
      Object array of bytes, [examples].

    Raises:
      ServingError: INVALID_ARGUMENT, there are none.
    """
    context = b""
    if message.WhichOneof("kind") == "example_list_with_context":
        examples = message.example_list_with_context.examples
        # Messages are merged by putting their bytes one after the other.
        context = message.example_list_with_context.context.SerializeToString()
    else:
        examples = message.example_list.examples
    if not examples:
        raise _invalid("Input is empty.")
    array = np.empty(len(examples), object)
    array[:] = [context + example.SerializeToString() for example in examples]
    return array


def classification_result(outputs: dict[str, np.ndarray], rows: int) -> ClassificationResult:
    """Turns the outputs of a signature into labels with scores.

    Args:
      outputs: `classes` [examples, k] of bytes, `scores` [examples, k] float32, or both.
      rows: examples that were sent.

    Returns:
      The message; bytes of a label that are no UTF-8 become replacement characters.

    Raises:
      ServingError: INVALID_ARGUMENT, as in TF Serving: the model answers in another form.
    """
    for alias, array in outputs.items():
        name, dtype = ("STRING", object) if alias == CLASSES else ("FLOAT", np.float32)
        if array.ndim != 2:
            raise _invalid(
                f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)}"
            )
        if array.dtype != dtype:
            raise _invalid(f"Expected {alias} Tensor of DT_{name}. Got: {array.dtype}")
        if len(array) != rows:
            raise _invalid(f"Expected {alias} output batch size of {rows}. Got: {len(array)}")
    if len({array.shape for array in outputs.values()}) > 1:
        raise _invalid(
            "Tensors class and score should match in dim_size(1). Got "
            f"{outputs[CLASSES].shape[1]} vs. {outputs[SCORES].shape[1]}"
        )
    result = ClassificationResult()
    lists = {alias: array.tolist() for alias, array in outputs.items()}
    for row in range(rows):
        classes = result.classifications.add().classes
        for column in range(next(iter(outputs.values())).shape[1]):
            added = classes.add()
            if CLASSES in lists:
                added.label = lists[CLASSES][row][column].decode("utf-8", errors="replace")
            if SCORES in lists:
                added.score = lists[SCORES][row][column]
    return result


def regression_result(outputs: dict[str, np.ndarray], rows: int) -> RegressionResult:
    """Turns the output of a signature into values.

    Args:
      outputs: `outputs` float32, [examples] or [examples, 1].
      rows: examples that were sent.

    Returns:
      The message.

    Raises:
      ServingError: INVALID_ARGUMENT, as in TF Serving: the model answers in another form.
    """
    array = outputs[OUTPUTS]
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise _invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{list(array.shape)}"
        )
    if len(array) != rows:
        raise _invalid(f"Input batch size did not match output batch size: {rows} vs. {len(array)}")
    if array.dtype != np.float32:
        raise _invalid(f"Expected output Tensor of DT_FLOAT.  Got: {array.dtype}")
    result = RegressionResult()
    for value in array.ravel().tolist():
        result.regressions.add().value = value
    return result


def _check_method(signature: SignatureDef, kind: str, method: str) -> None:
    if signature.method_name != method:
        raise _invalid(
            f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}"
        )


def _check_input(signature: SignatureDef, kind: str) -> None:
    if len(signature.inputs) != 1:
        raise _invalid(
            f'Expected one input Tensor. Name a signature with the input "{INPUTS}" alone, which '
            "takes serialized tf.Examples."
        )
    if INPUTS not in signature.inputs:
        raise ServingError(
            Code.FAILED_PRECONDITION, f"No {kind} inputs found in SignatureDef: {signature}"
        )


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
