"""The file of a SavedModel, with the functions of its graphs left as they are stored.

Protobuf reads a message in one go, in which no other Python runs. Functions are nearly all of the
file (4.3 of 4.4 MB of the demo's model), and TensorFlow takes them one by one as bytes. So the file
is read by messages that have the same fields on the way to the functions, and bytes in their place;
what they do not name, protobuf keeps. That takes 3 ms, the whole 29 and to free it another 12.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

_PACKAGE = "prodcls.graph_file"
_Field = descriptor_pb2.FieldDescriptorProto

# From the file to its functions: message, field, its number, whether it is repeated. What each
# holds is the next one, and the last one bytes.
_WAY = (
    ("SavedModel", "meta_graphs", 2, True),
    ("MetaGraphDef", "graph_def", 2, False),
    ("GraphDef", "library", 2, False),
    ("FunctionDefLibrary", "function", 1, True),
)


class StoredGraph(NamedTuple):
    """One graph of a SavedModel.

    Attributes:
      meta: all but the functions.
      functions: each a FunctionDef, as it is stored.
    """

    meta: MetaGraphDef
    functions: list[bytes]


def read_graphs(content: bytes) -> Iterator[StoredGraph]:
    """Reads the graphs of a SavedModel.

    Args:
      content: of its `saved_model.pb`.

    Yields:
      One after another.

    Raises:
      DecodeError: it is no such file. Functions are not looked into.
    """
    for stored in _SavedModel.FromString(content).meta_graphs:
        library = stored.graph_def.library
        functions = list(library.function)
        library.ClearField("function")
        yield StoredGraph(MetaGraphDef.FromString(stored.SerializeToString()), functions)


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="prodcls/graph_file.proto", package=_PACKAGE, syntax="proto3"
    )
    held = [f".{_PACKAGE}.{message}" for message, *_ in _WAY[1:]]
    for (message, field, number, repeated), kind in zip(_WAY, [*held, ""], strict=True):
        file.message_type.add(name=message).field.add(
            name=field,
            number=number,
            label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
            type=_Field.TYPE_MESSAGE if kind else _Field.TYPE_BYTES,
            type_name=kind or None,
        )
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.AddSerializedFile(_file().SerializeToString())
_SavedModel = message_factory.MessageFactory(_pool).GetPrototype(
    _pool.FindMessageTypeByName(f"{_PACKAGE}.SavedModel")
)
