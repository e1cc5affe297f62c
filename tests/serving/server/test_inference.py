from __future__ import annotations

import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.inference_pb2 import InferenceTask, MultiInferenceRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from serving.server.batching import BatchScheduler, DirectRunner
from serving.server.config import BatchingParameters
from serving.server.inference import Inference
from serving.server.status import Code, ServingError
from serving.server.tensors import to_array, to_proto
from tests.serving.server.loaded import NAME, VERSION, OneVersion, load_tiny_model, strings
from tests.serving.tiny_model import CATEGORIES

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    servable = load_tiny_model(tmp_path_factory.mktemp("model"))
    yield OneVersion(servable)
    servable.close()


@pytest.fixture(scope="module", params=["direct", "batched"])
def inference(loaded, request):
    if request.param == "direct":
        yield Inference(loaded, DirectRunner())
        return
    scheduler = BatchScheduler(BatchingParameters(max_batch_size=8, num_batch_threads=2))
    yield Inference(loaded, scheduler)
    scheduler.close()


def spec(signature: str = "", **choice: object) -> ModelSpec:
    return ModelSpec(name=NAME, signature_name=signature, **choice)


def predict_request(*titles: bytes, **choice: object) -> PredictRequest:
    request = PredictRequest(model_spec=spec(**choice))
    request.inputs["title"].CopyFrom(to_proto(strings(*titles)))
    request.inputs["description"].CopyFrom(to_proto(strings(*[b""] * len(titles))))
    return request


def add_examples(request, *titles: bytes) -> None:
    for title in titles:
        example = request.input.example_list.examples.add()
        example.features.feature["title"].bytes_list.value.append(title)


def refusal(call, request, code: Code) -> str:
    with pytest.raises(ServingError) as caught:
        call(request)
    assert caught.value.code is code
    return caught.value.message


def test_predict_answers_and_says_who_did(inference):
    response = inference.predict(predict_request(b"frying pan", b"headphones"))
    assert response.model_spec == ModelSpec(
        name=NAME, version={"value": VERSION}, signature_name="serving_default"
    )
    categories = to_array(response.outputs["categories"], "x")
    assert [row[0].decode() for row in categories] == [CATEGORIES[1], CATEGORIES[0]]
    assert len(response.outputs["scores"].float_val) == 6


def test_predict_answers_raw_content_if_told_so(loaded):
    inference = Inference(loaded, DirectRunner(), as_content=True)
    response = inference.predict(predict_request(b"pan"))
    assert len(response.outputs["scores"].tensor_content) == 12
    assert response.outputs["categories"].string_val[0].decode() == CATEGORIES[1]


def test_predict_answers_the_outputs_that_are_asked_for(inference):
    request = predict_request(b"pan")
    request.output_filter.append("scores")
    assert list(inference.predict(request).outputs) == ["scores"]


def test_predict_takes_other_signatures_and_numbers(inference):
    request = PredictRequest(model_spec=spec("numbers"))
    request.inputs["x"].CopyFrom(to_proto(np.array([[1, 2]], np.float32), as_content=True))
    request.inputs["n"].CopyFrom(to_proto(np.array([6])))
    response = inference.predict(request)
    assert response.outputs["total"].float_val == [3.0]
    assert response.outputs["next"].int64_val == [7]
    assert response.outputs["even"].bool_val == [True]


@pytest.mark.parametrize(
    "title", [b"", b"   ", b"a\0b", b"\xff\xfe", "שלום 😀".encode(), b"x" * 10**6]
)
def test_predict_takes_any_bytes(inference, title):
    response = inference.predict(predict_request(title))
    assert sum(response.outputs["scores"].float_val) == pytest.approx(1)


def test_predict_stops_at_its_deadline(inference):
    request = PredictRequest(model_spec=spec("slow"))
    request.inputs["rounds"].CopyFrom(to_proto(np.array([10**6], np.int32)))
    with pytest.raises(ServingError) as caught:
        inference.predict(request, time.monotonic() + 0.1)
    assert caught.value.code is Code.DEADLINE_EXCEEDED


@pytest.mark.parametrize("call", ["predict", "classify", "regress", "get_model_metadata"])
def test_a_request_without_a_model_is_refused(inference, call):
    kind = {
        "predict": PredictRequest,
        "classify": ClassificationRequest,
        "regress": RegressionRequest,
        "get_model_metadata": GetModelMetadataRequest,
    }[call]
    message = refusal(getattr(inference, call), kind(), Code.INVALID_ARGUMENT)
    assert message == "Missing ModelSpec"
    nameless = kind(model_spec=ModelSpec(signature_name="x"))
    if call == "get_model_metadata":
        nameless.metadata_field.append("signature_def")
    message = refusal(getattr(inference, call), nameless, Code.INVALID_ARGUMENT)
    assert message == "ModelSpec has no name specified."


def test_version_and_label_are_asked_of_the_registry(inference):
    assert inference.predict(predict_request(b"pan", version={"value": VERSION}))
    for choice in ({"version": {"value": 99}}, {"version": {}}, {"version_label": "stable"}):
        refusal(inference.predict, predict_request(b"pan", **choice), Code.NOT_FOUND)


def test_an_unknown_signature_fails_predict(inference):
    request = PredictRequest(model_spec=spec("x"))
    message = refusal(inference.predict, request, Code.FAILED_PRECONDITION)
    assert message.startswith('Serving signature key "x" not found.')


def test_a_wrong_request_is_refused_before_it_runs(inference):
    request = predict_request(b"pan")
    request.inputs["title"].CopyFrom(
        TensorProto(dtype=types_pb2.DT_STRING, tensor_shape={"unknown_rank": True})
    )
    message = refusal(inference.predict, request, Code.INVALID_ARGUMENT)
    assert message.startswith("tensor parsing error: title")
    del request.inputs["title"]
    message = refusal(inference.predict, request, Code.INVALID_ARGUMENT)
    assert message.startswith("input size does not match signature: 1!=2")


def test_inputs_of_unequal_rows_are_refused(inference):
    request = predict_request(b"pan", b"cat")
    request.inputs["description"].CopyFrom(to_proto(strings(b"", b"", b"")))
    refusal(inference.predict, request, Code.INVALID_ARGUMENT)


def test_arrays_are_answered_with_arrays_on_the_version_that_made_their_signature(inference):
    def inputs(signature):
        return {alias: strings(b"pan") for alias in signature.inputs}

    prediction = inference.answer(spec(), inputs, ["categories"])
    assert prediction.spec.version.value == VERSION
    assert sorted(prediction.signature.outputs) == ["categories", "scores"]
    assert prediction.outputs["categories"][0][0].decode() == CATEGORIES[1]


def test_arrays_that_do_not_fit_the_signature_are_refused(inference):
    with pytest.raises(ServingError, match="input size does not match signature"):
        inference.answer(spec(), lambda signature: {})


def test_the_signature_of_a_rest_request_is_told(inference):
    name, signature = inference.signature(spec())
    assert (name, sorted(signature.inputs)) == ("serving_default", ["description", "title"])
    message = refusal(inference.signature, spec("x"), Code.INVALID_ARGUMENT)
    assert message.startswith('Serving signature name: "x" not found')


def test_classify_answers_labels_with_scores(inference):
    request = ClassificationRequest(model_spec=spec("classify"))
    add_examples(request, b"frying pan", "猫".encode())
    response = inference.classify(request)
    assert response.model_spec.signature_name == "classify"
    assert response.model_spec.version.value == VERSION
    first, second = response.result.classifications
    assert (first.classes[0].label, second.classes[0].label) == (CATEGORIES[1], CATEGORIES[2])
    assert first.classes[0].score == pytest.approx(0.787, abs=1e-3)


def test_classify_and_regress_refuse_what_they_cannot_answer(inference):
    for call, kind in (
        (inference.classify, ClassificationRequest),
        (inference.regress, RegressionRequest),
    ):
        message = refusal(call, kind(model_spec=spec("x")), Code.INVALID_ARGUMENT)
        assert message.startswith("No signature was found with the name: x")
        message = refusal(call, kind(model_spec=spec()), Code.INVALID_ARGUMENT)
        assert message.startswith("Expected one input Tensor.")
    message = refusal(
        inference.classify,
        ClassificationRequest(model_spec=spec("classify")),
        Code.INVALID_ARGUMENT,
    )
    assert message == "Input is empty."
    message = refusal(
        inference.regress, RegressionRequest(model_spec=spec("classify")), Code.INVALID_ARGUMENT
    )
    assert message.startswith("Expected one output Tensor.")


def test_the_method_name_is_checked_if_told_so(loaded):
    inference = Inference(loaded, DirectRunner(), check_method_names=True)
    message = refusal(
        inference.regress, RegressionRequest(model_spec=spec("classify")), Code.INVALID_ARGUMENT
    )
    assert message == (
        f"Expected regression signature method_name to be {REGRESS}. Was: {CLASSIFY}"
    )


def test_regress_answers_values(inference):
    request = RegressionRequest(model_spec=spec("regress"))
    add_examples(request, b"pan with headphones", b"")
    response = inference.regress(request)
    assert [found.value for found in response.result.regressions] == [2, 0]
    assert response.model_spec.signature_name == "regress"


@pytest.mark.parametrize("example", [b"no example", b"\xff no example"])
def test_an_example_that_is_none_fails_its_request(inference, example):
    request = PredictRequest(model_spec=spec("classify"))
    request.inputs["inputs"].CopyFrom(to_proto(strings(example)))
    message = refusal(inference.predict, request, Code.INVALID_ARGUMENT)
    assert "Could not parse example" in message


def multi_request(*tasks: tuple[str, str, str]) -> MultiInferenceRequest:
    request = MultiInferenceRequest()
    for name, signature, method in tasks:
        request.tasks.append(
            InferenceTask(
                model_spec=ModelSpec(name=name, signature_name=signature), method_name=method
            )
        )
    add_examples(request, b"frying pan")
    return request


def test_multi_inference_answers_each_task(inference):
    request = multi_request((NAME, "classify", CLASSIFY), (NAME, "regress", REGRESS))
    first, second = inference.multi_inference(request).results
    assert first.classification_result.classifications[0].classes[0].label == CATEGORIES[1]
    assert second.regression_result.regressions[0].value == 1
    assert (first.model_spec.signature_name, second.model_spec.version.value) == (
        "classify",
        VERSION,
    )


@pytest.mark.parametrize(
    ("tasks", "code", "begin"),
    [
        ([], Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (
            [(NAME, "classify", CLASSIFY), ("", "regress", REGRESS)],
            Code.INVALID_ARGUMENT,
            "Found ModelSpec with an empty model name.",
        ),
        (
            [(NAME, "classify", CLASSIFY), ("other", "regress", REGRESS)],
            Code.INVALID_ARGUMENT,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [(NAME, "classify", CLASSIFY), (NAME, "classify", CLASSIFY)],
            Code.INVALID_ARGUMENT,
            "Duplicate evaluation of signature: classify",
        ),
        (
            [(NAME, "x", CLASSIFY)],
            Code.INVALID_ARGUMENT,
            "Requested signature not found in model graph: x",
        ),
        (
            [(NAME, "serving_default", "tensorflow/serving/predict")],
            Code.UNIMPLEMENTED,
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        ([(NAME, "", CLASSIFY)], Code.INVALID_ARGUMENT, "Expected one input Tensor."),
        ([(NAME, "classify", REGRESS)], Code.INVALID_ARGUMENT, "Expected one output Tensor."),
    ],
)
def test_multi_inference_refuses_what_it_cannot_answer(inference, tasks, code, begin):
    assert refusal(inference.multi_inference, multi_request(*tasks), code).startswith(begin)


def test_multi_inference_without_examples_is_refused(inference):
    request = multi_request((NAME, "classify", CLASSIFY))
    request.ClearField("input")
    message = refusal(inference.multi_inference, request, Code.INVALID_ARGUMENT)
    assert message == "Input is empty."


def test_metadata_are_the_signatures_of_the_saved_model(inference, loaded):
    request = GetModelMetadataRequest(model_spec=spec(), metadata_field=["signature_def"])
    response = inference.get_model_metadata(request)
    assert response.model_spec == ModelSpec(name=NAME, version={"value": VERSION})
    signatures = SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert dict(signatures.signature_def) == dict(loaded.servable.signatures)
    assert signatures.signature_def["classify"].method_name == CLASSIFY


def test_metadata_without_a_known_field_are_refused(inference):
    request = GetModelMetadataRequest(model_spec=spec())
    message = refusal(inference.get_model_metadata, request, Code.INVALID_ARGUMENT)
    assert message == "GetModelMetadataRequest must specify at least one metadata_field"
    request.metadata_field.extend(["signature_def", "x"])
    message = refusal(inference.get_model_metadata, request, Code.INVALID_ARGUMENT)
    assert message.startswith("Metadata field x is not supported")


def test_tensorflows_own_client_code_reads_the_answer(inference):
    response = inference.predict(predict_request(b"pan"))
    assert tf.make_ndarray(response.outputs["scores"]).shape == (1, 3)
    assert tf.make_ndarray(response.outputs["categories"])[0][0].decode() == CATEGORIES[1]
