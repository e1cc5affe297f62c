from __future__ import annotations

import pytest
from grpc_health.v1 import health_pb2
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    status_pb2,
)

from serving import calls, messages

REAL = {
    "TensorShapeProto": tensor_shape_pb2.TensorShapeProto,
    "Dim": tensor_shape_pb2.TensorShapeProto.Dim,
    "TensorProto": tensor_pb2.TensorProto,
    "TensorInfo": meta_graph_pb2.TensorInfo,
    "SignatureDef": meta_graph_pb2.SignatureDef,
    "ModelSpec": model_pb2.ModelSpec,
    "PredictRequest": predict_pb2.PredictRequest,
    "PredictResponse": predict_pb2.PredictResponse,
    "GetModelMetadataRequest": get_model_metadata_pb2.GetModelMetadataRequest,
    "GetModelMetadataResponse": get_model_metadata_pb2.GetModelMetadataResponse,
    "SignatureDefMap": get_model_metadata_pb2.SignatureDefMap,
    "GetModelStatusRequest": get_model_status_pb2.GetModelStatusRequest,
    "GetModelStatusResponse": get_model_status_pb2.GetModelStatusResponse,
    "ModelVersionStatus": get_model_status_pb2.ModelVersionStatus,
    "StatusProto": status_pb2.StatusProto,
    "HealthCheckRequest": health_pb2.HealthCheckRequest,
    "HealthCheckResponse": health_pb2.HealthCheckResponse,
}
OURS = messages._pool.FindFileByName("prodcls/wire.proto")


def test_every_message_has_a_real_one():
    assert set(OURS.message_types_by_name) == set(REAL)


def described(field) -> dict:
    """All that the wire format depends on."""
    kind = field.message_type
    entry = kind is not None and kind.GetOptions().map_entry
    return {
        "number": field.number,
        "type": field.type,
        "label": field.label,
        "packed": dict(field.GetOptions().ListFields()).get("packed", True),
        "holds": None if kind is None or entry else kind.name,
        "entry": [described(inner) for inner in kind.fields] if entry else None,
    }


@pytest.mark.parametrize("name", sorted(REAL))
def test_fields_are_those_of_the_real_message(name):
    real = REAL[name].DESCRIPTOR.fields_by_name
    for field in OURS.message_types_by_name[name].fields:
        assert described(field) == described(real[field.name]), field.name


@pytest.mark.parametrize("name", ["DataType", *sorted(REAL)])
def test_values_of_enumerations_are_the_real_ones(name):
    if name == "DataType":
        pairs = [(OURS.enum_types_by_name[name], tensor_pb2.TensorProto.DESCRIPTOR)]
        pairs = [(ours, real.fields_by_name["dtype"].enum_type) for ours, real in pairs]
    else:
        message, real = OURS.message_types_by_name[name], REAL[name].DESCRIPTOR
        pairs = [
            (field.enum_type, real.fields_by_name[field.name].enum_type)
            for field in message.fields
            if field.enum_type is not None
        ]
    for ours, real_enum in pairs:
        numbers = {value.name: value.number for value in real_enum.values}
        for value in ours.values:
            assert numbers[value.name] == value.number


def test_methods_have_the_real_paths():
    from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2

    files = (prediction_service_pb2, model_service_pb2, health_pb2)
    real = {
        f"/{service.full_name}/{method.name}": method.output_type.name
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    for method in (calls.PREDICT, calls.METADATA, calls.STATUS, calls.HEALTH):
        assert real[method.path] == method.response.DESCRIPTOR.name


def test_request_arrives_as_it_was_sent():
    sent = messages.PredictRequest()
    sent.model_spec.name = "prodcls"
    sent.model_spec.version.value = 7
    sent.inputs["title"].dtype = messages.DT_STRING
    sent.inputs["title"].tensor_shape.dim.add(size=2)
    sent.inputs["title"].string_val.extend([b"pan", b"\xff"])
    received = predict_pb2.PredictRequest.FromString(messages.serialized(sent))
    assert received.model_spec.version.value == 7
    assert list(received.inputs["title"].string_val) == [b"pan", b"\xff"]
    assert received.inputs["title"].tensor_shape.dim[0].size == 2


def test_unknown_fields_of_an_answer_are_skipped():
    real = tensor_pb2.TensorProto(dtype=1, float_val=[0.5, 0.25], version_number=9, half_val=[3])
    read = messages.TensorProto.FromString(real.SerializeToString())
    assert list(read.float_val) == [0.5, 0.25]


def test_pool_is_apart_from_that_of_tensorflow():
    assert messages.TensorProto is not tensor_pb2.TensorProto
    assert messages.TensorProto.DESCRIPTOR.full_name == "prodcls.wire.TensorProto"


def test_importing_the_client_loads_no_tensorflow(fresh_python):
    heavy = ("tensorflow", "tensorflow_serving", "numpy", "transformers", "tfx", "pandas")
    printed = fresh_python(
        "import sys, serving.client, serving.async_client, serving.streaming;"
        f"print('LOADED', *(name for name in {heavy!r} if name in sys.modules))"
    )
    assert printed == "LOADED\n"
