"""Writes what grpcurl must know of TensorFlow Serving's services, which do not describe themselves.

python serving/examples/protoset.py serving.protoset
"""

from __future__ import annotations

import sys
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2


def protoset() -> descriptor_pb2.FileDescriptorSet:
    """Returns both services with all files that they need, each after those it imports."""
    found: dict[str, FileDescriptor] = {}

    def add(file: FileDescriptor) -> None:
        for needed in file.dependencies:
            add(needed)
        found.setdefault(file.name, file)

    for service in (prediction_service_pb2, model_service_pb2):
        add(service.DESCRIPTOR)
    files = descriptor_pb2.FileDescriptorSet()
    for file in found.values():
        file.CopyToProto(files.file.add())
    return files


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(protoset().SerializeToString())
