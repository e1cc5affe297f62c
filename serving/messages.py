r"""The messages that a client of TensorFlow Serving needs, without TensorFlow.

gRPC sends a method's path and, of a message, only the numbers of its fields. A client can therefore
bring messages of its own, as long as numbers, types and labels are those of TensorFlow Serving;
tests/serving/test_messages.py holds them equal to the real ones. They live in a pool of their own,
so that nothing clashes where TensorFlow is loaded too. Only what the client uses is here: what a
server sends besides is skipped, as protobuf does with unknown fields.

Example:
  >>> request = PredictRequest()
  >>> request.model_spec.name = "prodcls"
  >>> request.SerializeToString()
  b'\n\t\n\x07prodcls'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

PACKAGE = "prodcls.wire"

# Message: field: (number, type). `map` has string keys; a type with a capital is one of these
# messages or enumerations, one with a dot is protobuf's own.
_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    # tensorflow/core/framework
    "TensorShapeProto": {"dim": (2, "repeated Dim"), "unknown_rank": (3, "bool")},
    "Dim": {"size": (1, "int64"), "name": (2, "string")},
    "TensorProto": {
        "dtype": (1, "DataType"),
        "tensor_shape": (2, "TensorShapeProto"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "repeated float"),
        "string_val": (8, "repeated bytes"),
        "int64_val": (10, "repeated int64"),
    },
    # tensorflow/core/protobuf
    "TensorInfo": {
        "name": (1, "string"),
        "dtype": (2, "DataType"),
        "tensor_shape": (3, "TensorShapeProto"),
    },
    "SignatureDef": {
        "inputs": (1, "map TensorInfo"),
        "outputs": (2, "map TensorInfo"),
        "method_name": (3, "string"),
    },
    # tensorflow_serving/apis
    "ModelSpec": {
        "name": (1, "string"),
        "version": (2, "google.protobuf.Int64Value"),
        "signature_name": (3, "string"),
        "version_label": (4, "string"),
    },
    "PredictRequest": {
        "model_spec": (1, "ModelSpec"),
        "inputs": (2, "map TensorProto"),
        "output_filter": (3, "repeated string"),
    },
    "PredictResponse": {"outputs": (1, "map TensorProto"), "model_spec": (2, "ModelSpec")},
    "GetModelMetadataRequest": {
        "model_spec": (1, "ModelSpec"),
        "metadata_field": (2, "repeated string"),
    },
    "GetModelMetadataResponse": {
        "model_spec": (1, "ModelSpec"),
        "metadata": (2, "map google.protobuf.Any"),
    },
    "SignatureDefMap": {"signature_def": (1, "map SignatureDef")},
    "GetModelStatusRequest": {"model_spec": (1, "ModelSpec")},
    "GetModelStatusResponse": {"model_version_status": (1, "repeated ModelVersionStatus")},
    "ModelVersionStatus": {
        "version": (1, "int64"),
        "state": (2, "ModelVersionStatus.State"),
        "status": (3, "StatusProto"),
    },
    "StatusProto": {"error_code": (1, "StatusProto.Code"), "error_message": (2, "string")},
    # grpc/health/v1
    "HealthCheckRequest": {"service": (1, "string")},
    "HealthCheckResponse": {"status": (1, "HealthCheckResponse.ServingStatus")},
}

_ENUMERATIONS: Mapping[str, Mapping[str, int]] = {
    "DataType": {"DT_INVALID": 0, "DT_FLOAT": 1, "DT_STRING": 7, "DT_INT64": 9},
    "ModelVersionStatus.State": {
        "UNKNOWN": 0, "START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50,
    },
    "StatusProto.Code": {
        "OK": 0, "CANCELLED": 1, "UNKNOWN": 2, "INVALID_ARGUMENT": 3, "DEADLINE_EXCEEDED": 4,
        "NOT_FOUND": 5, "ALREADY_EXISTS": 6, "PERMISSION_DENIED": 7, "RESOURCE_EXHAUSTED": 8,
        "FAILED_PRECONDITION": 9, "ABORTED": 10, "OUT_OF_RANGE": 11, "UNIMPLEMENTED": 12,
        "INTERNAL": 13, "UNAVAILABLE": 14, "DATA_LOSS": 15, "UNAUTHENTICATED": 16,
    },
    "HealthCheckResponse.ServingStatus": {
        "UNKNOWN": 0, "SERVING": 1, "NOT_SERVING": 2, "SERVICE_UNKNOWN": 3,
    },
}  # fmt: skip

_Field = descriptor_pb2.FieldDescriptorProto


def _file() -> descriptor_pb2.FileDescriptorProto:
    """Describes all messages as one .proto file."""
    file = descriptor_pb2.FileDescriptorProto(
        name="prodcls/wire.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=[any_pb2.DESCRIPTOR.name, wrappers_pb2.DESCRIPTOR.name],
    )
    messages = {}
    for name, fields in _MESSAGES.items():
        messages[name] = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add_field(messages[name], field, number, kind)
    for name, values in _ENUMERATIONS.items():
        holder, _, short = name.rpartition(".")
        siblings = messages[holder].enum_type if holder else file.enum_type
        enumeration = siblings.add(name=short)
        for value, number in values.items():
            enumeration.value.add(name=value, number=number)
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    label, _, bare = kind.rpartition(" ")
    field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if label:
        field.label = _Field.LABEL_REPEATED
    if label == "map":
        # What `map<string, X>` is to a compiler: repeated entries of a key and a value.
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, bare)
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{message.name}.{entry.name}"
    elif bare in _ENUMERATIONS:
        field.type, field.type_name = _Field.TYPE_ENUM, f".{PACKAGE}.{bare}"
    elif "." in bare:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{bare}"
    elif bare in _MESSAGES:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{bare}"
    else:
        field.type = _Field.Type.Value(f"TYPE_{bare.upper()}")


_pool = descriptor_pool.DescriptorPool()
for _known in (any_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR):
    _pool.AddSerializedFile(_known.serialized_pb)
_pool.AddSerializedFile(_file().SerializeToString())
# Newer protobufs, which a host without TensorFlow may have, know only the function.
_class_of = (
    getattr(message_factory, "GetMessageClass", None)
    or message_factory.MessageFactory(_pool).GetPrototype
)


def _class(name: str) -> Any:
    return _class_of(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


DT_FLOAT = _ENUMERATIONS["DataType"]["DT_FLOAT"]
DT_STRING = _ENUMERATIONS["DataType"]["DT_STRING"]

TensorShapeProto = _class("TensorShapeProto")
TensorProto = _class("TensorProto")
TensorInfo = _class("TensorInfo")
SignatureDef = _class("SignatureDef")
SignatureDefMap = _class("SignatureDefMap")
ModelSpec = _class("ModelSpec")
PredictRequest = _class("PredictRequest")
PredictResponse = _class("PredictResponse")
GetModelMetadataRequest = _class("GetModelMetadataRequest")
GetModelMetadataResponse = _class("GetModelMetadataResponse")
GetModelStatusRequest = _class("GetModelStatusRequest")
GetModelStatusResponse = _class("GetModelStatusResponse")
ModelVersionStatus = _class("ModelVersionStatus")
StatusProto = _class("StatusProto")
HealthCheckRequest = _class("HealthCheckRequest")
HealthCheckResponse = _class("HealthCheckResponse")


def serialized(message: Any) -> bytes:
    """Returns a message as it is sent."""
    content: bytes = message.SerializeToString()
    return content
