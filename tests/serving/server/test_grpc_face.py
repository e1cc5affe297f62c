"""The protocol through real gRPC: answers, codes and messages."""

from __future__ import annotations

import math
import random

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from tests.serving.server.embedded import (
    NAME,
    asking,
    classify_request,
    code_of,
    predict_request,
    running,
)
from tests.serving.tiny_model import save_tiny_model

INVALID = grpc.StatusCode.INVALID_ARGUMENT
SERVICES = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.PredictionService",
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = save_tiny_model(tmp_path_factory.mktemp("models") / "3")
    with running(folder.parent) as server, asking(server.port) as client:
        yield client


def test_predict_answers_with_the_version_that_answered(client):
    response = client.predict("a PAN", "猫")
    assert response.model_spec.name == NAME
    assert response.model_spec.version.value == 3
    assert response.model_spec.signature_name == "serving_default"
    categories = tf.make_ndarray(response.outputs["categories"])
    assert [row[0].decode() for row in categories] == ["Home > Cookware", "Pets > Cats > 猫粮"]


def test_classify_answers_labels_with_scores(client):
    response = client.predictions.Classify(classify_request("a PAN"), timeout=30)
    (answer,) = response.result.classifications
    assert answer.classes[0].label == "Home > Cookware"
    assert sum(entry.score for entry in answer.classes) == pytest.approx(1.0)


def test_regress_answers_values(client):
    request = regression_pb2.RegressionRequest(input=classify_request("pan", "x").input)
    request.model_spec.name, request.model_spec.signature_name = NAME, "regress"
    response = client.predictions.Regress(request, timeout=30)
    assert [entry.value for entry in response.result.regressions] == [1.0, 0.0]


def test_multi_inference_answers_several_signatures(client):
    request = inference_pb2.MultiInferenceRequest(input=classify_request("pan").input)
    for signature in ("classify", "regress"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{signature}")
        task.model_spec.name, task.model_spec.signature_name = NAME, signature
    first, second = client.predictions.MultiInference(request, timeout=30).results
    assert first.classification_result.classifications[0].classes[0].label == "Home > Cookware"
    assert second.regression_result.regressions[0].value == 1.0


def test_metadata_are_the_signatures(client):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = NAME
    response = client.predictions.GetModelMetadata(request, timeout=30)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def["serving_default"].inputs) == {"title", "description"}


def test_status_is_that_of_each_version(client):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = NAME
    (version,) = client.models.GetModelStatus(request, timeout=30).model_version_status
    assert (version.version, version.state, version.status.error_code) == (3, 30, 0)


@pytest.mark.parametrize(
    "title",
    ["", "   ", "😀🎧", "a\0b", "سماعات רעש", b"\xff\xfe pan \xc3", "x" * 2**20],
    ids=["empty", "blank", "emoji", "nul", "right-to-left", "invalid", "a megabyte"],
)
def test_strange_titles_get_finite_scores_that_sum_to_one(client, title):
    scores = tf.make_ndarray(client.predict(title).outputs["scores"])
    assert np.isfinite(scores).all()
    assert scores.sum() == pytest.approx(1.0)


def predict(change):
    """A Predict call with a fault."""

    def call(client):
        request = predict_request("pan")
        change(request)
        return client.predictions.Predict(request, timeout=30)

    return call


def classify(change):
    def call(client):
        request = classify_request("pan")
        change(request)
        return client.predictions.Classify(request, timeout=30)

    return call


def name(value):
    def change(request):
        request.model_spec.name = value

    return change


def signature(value):
    def change(request):
        request.model_spec.signature_name = value

    return change


def version(value):
    def change(request):
        request.model_spec.version.value = value

    return change


def label(value):
    def change(request):
        request.model_spec.version_label = value

    return change


def tensor(value):
    def change(request):
        request.inputs["title"].CopyFrom(value)

    return change


def extra_input(request):
    request.inputs["brand"].CopyFrom(request.inputs["title"])


def other_input(request):
    extra_input(request)
    del request.inputs["title"]


def outputs(*names):
    def change(request):
        request.output_filter.extend(names)

    return change


def empty_input(request):
    request.input.Clear()


def metadata(*fields):
    def call(client):
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
        request.model_spec.name = NAME
        return client.predictions.GetModelMetadata(request, timeout=30)

    return call


def status(client):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "shoes"
    return client.models.GetModelStatus(request, timeout=30)


def multi(*methods, signatures=("classify", "regress")):
    def call(client):
        request = inference_pb2.MultiInferenceRequest(input=classify_request("pan").input)
        for method, key in zip(methods, signatures, strict=False):
            task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
            task.model_spec.name, task.model_spec.signature_name = NAME, key
        return client.predictions.MultiInference(request, timeout=30)

    return call


def reload(client):
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.config.add(name="x", base_path="/etc")
    return client.models.HandleReloadConfigRequest(request, timeout=30)


SHORT = tf.make_tensor_proto([1, 2, 3], tf.float32)
SHORT.tensor_content = SHORT.tensor_content[:-1]


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (predict(lambda r: r.ClearField("model_spec")), INVALID, "Missing ModelSpec"),
        (predict(name("")), INVALID, "ModelSpec has no name specified."),
        (
            predict(name("shoes")),
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Latest(shoes)",
        ),
        (
            predict(version(9)),
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Specific(prodcls, 9)",
        ),
        (predict(label("x")), INVALID, "Unrecognized servable version label: x"),
        (
            predict(signature("x")),
            grpc.StatusCode.FAILED_PRECONDITION,
            'Serving signature key "x" not found.',
        ),
        (classify(signature("x")), INVALID, "No signature was found with the name: x"),
        (classify(signature("regress")), grpc.StatusCode.FAILED_PRECONDITION, "Expected classif"),
        (predict(extra_input), INVALID, "input size does not match signature: 3!=2"),
        (predict(lambda r: r.inputs.pop("title")), INVALID, "input size does not match signature"),
        (predict(other_input), INVALID, "Signature input alias: title"),
        (predict(outputs("x")), INVALID, "output tensor alias not found in signature: x"),
        (predict(outputs("scores", "scores")), INVALID, "duplicate output tensor alias: scores"),
        (predict(tensor(SHORT)), INVALID, "tensor parsing error: title"),
        (predict(tensor(tf.make_tensor_proto([1.5]))), INVALID, 'Expects input "title" to be str'),
        (classify(empty_input), INVALID, "Input is empty."),
        (metadata(), INVALID, "GetModelMetadataRequest must specify at least one metadata_field"),
        (metadata("x"), INVALID, "Metadata field x is not supported"),
        (status, grpc.StatusCode.NOT_FOUND, "Could not find any versions of model shoes"),
        (multi("predict"), grpc.StatusCode.UNIMPLEMENTED, "Unsupported signature method_name: "),
        (multi("classify", "classify", signatures=("classify", "classify")), INVALID, "Duplicate"),
        (reload, grpc.StatusCode.UNIMPLEMENTED, "HandleReloadConfigRequest is not enabled"),
    ],
)  # fmt: skip
def test_fault_has_the_code_and_message_of_tf_serving(client, call, code, message):
    found, details = code_of(lambda: call(client))
    assert found == code, details
    assert details.startswith(message)


def test_unknown_method_is_unimplemented(client):
    call = client.channel.unary_unary("/tensorflow.serving.PredictionService/Guess")
    assert code_of(lambda: call(b"", timeout=30))[0] == grpc.StatusCode.UNIMPLEMENTED


def test_request_that_is_no_message_is_refused(client):
    call = client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    code, details = code_of(lambda: call(b"\xff\xff", timeout=30))
    assert (code, details) == (grpc.StatusCode.INTERNAL, "The request is no PredictRequest")


@pytest.mark.filterwarnings("ignore:Unexpected end-group tag")
def test_request_that_stops_in_the_middle_is_refused(client):
    call = client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    body = predict_request("pan").SerializeToString()
    assert code_of(lambda: call(body + b"\x0c" + body, timeout=30))[0] == grpc.StatusCode.INTERNAL


def test_long_messages_are_cut(client):
    code, details = code_of(lambda: client.predict("pan", signature="猫" * 5_000))
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert details.endswith("猫...TRUNCATED")
    assert len(details.encode()) < 1100


# pytest puts its own filters in the place of the server's.
@pytest.mark.filterwarnings("ignore:Unexpected end-group tag")
def test_random_messages_do_no_harm(client):
    drawn = random.Random(0)
    real = {
        "Predict": predict_request("pan").SerializeToString(),
        "Classify": classify_request("pan").SerializeToString(),
        "Regress": classify_request("pan").SerializeToString(),
        "MultiInference": inference_pb2.MultiInferenceRequest(
            input=classify_request("pan").input
        ).SerializeToString(),
        "GetModelMetadata": predict_pb2.PredictRequest().SerializeToString(),
    }
    calls = {
        method: client.channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
        for method in real
    }
    codes = set()
    for _ in range(1_500):
        method = drawn.choice(list(real))
        body = bytearray(real[method])
        if not body or drawn.random() < 0.3:
            body = bytearray(drawn.randbytes(drawn.randrange(200)))
        else:
            for _ in range(drawn.randrange(1, 6)):
                body[drawn.randrange(len(body))] = drawn.randrange(256)
        try:
            calls[method](bytes(body), timeout=30)
        except grpc.RpcError as error:
            codes.add(error.code())
    assert codes <= {
        INVALID,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
    assert client.predict("pan").model_spec.version.value == 3


def health(client):
    stub = health_pb2_grpc.HealthStub(client.channel)
    return lambda service: (
        stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=30).status
    )


@pytest.mark.parametrize("service", ["", NAME, "tensorflow.serving.PredictionService"])
def test_health_is_serving_by_server_model_and_service(client, service):
    assert health(client)(service) == health_pb2.HealthCheckResponse.SERVING


def test_health_of_what_is_not_known_is_not_found(client):
    code, _ = code_of(lambda: health(client)("shoes"))
    assert code == grpc.StatusCode.NOT_FOUND


def test_health_watch_of_what_is_not_known_says_so(client):
    stub = health_pb2_grpc.HealthStub(client.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="shoes"), timeout=30)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


def test_reflection_describes_every_service(client):
    stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="tensorflow.serving.PredictionService"
        ),
    ]
    services, file = stub.ServerReflectionInfo(iter(asked), timeout=30)
    assert {s.name for s in services.list_services_response.service} == SERVICES
    assert b"PredictRequest" in file.file_descriptor_response.file_descriptor_proto[0]


def test_numbers_come_back_in_fields_of_their_type(client):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = NAME, "numbers"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([[1.5, 2.0]]))
    request.inputs["n"].CopyFrom(tf.make_tensor_proto([41], tf.int64))
    answers = client.predictions.Predict(request, timeout=30).outputs
    assert list(answers["next"].int64_val) == [42]
    assert math.isclose(answers["total"].float_val[0], 3.5)
    assert list(answers["even"].bool_val) == [False]


def test_context_of_classify_is_part_of_every_example(client):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = NAME, "classify"
    examples = request.input.example_list_with_context
    examples.context.features.feature["title"].bytes_list.value.append(b"pan")
    examples.examples.add()
    response = client.predictions.Classify(request, timeout=30)
    assert response.result.classifications[0].classes[0].label == "Home > Cookware"
