"""Reads configuration files in protobuf's text format, the format of TF Serving's own files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, text_format
from google.protobuf import wrappers_pb2 as wrappers

from prodcls_tf.errors import SettingsError

M = TypeVar("M", bound=message.Message)

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "int64": _Field.TYPE_INT64,
    "bool": _Field.TYPE_BOOL,
}


def read_text_proto(path: Path | str, into: M) -> M:
    """Fills a message from a file.

    Args:
      path: of the file, UTF-8.
      into: an empty message of the kind that the file holds.

    Returns:
      The same message.

    Raises:
      SettingsError: the file cannot be read or is not such a message; names file and line.

    Example:
      >>> from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
      >>> read_text_proto("models.config", ModelServerConfig())  # doctest: +SKIP
    """
    kind = into.DESCRIPTOR.name
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"A {kind} file must be readable text. Received {path}: {error}. Check the path."
        ) from None
    try:
        return text_format.Parse(text, into)
    except text_format.ParseError as error:
        line = error.GetLine()
        # Its message begins with the place, which is said first here.
        rule = str(error).rpartition(" : ")[2] or str(error)
        raise SettingsError(
            f"{path}, line {line if line is not None else 'unknown'}: Invalid protobuf file. It "
            f"must hold a {kind} in protobuf's text format. Received: {rule.rstrip('.')}. See "
            "the files in serving/config/ for examples."
        ) from None


def message_type(name: str, fields: Mapping[str, str]) -> type[Any]:
    """Makes a message class for a file whose proto no Python package ships.

    The numbers of the fields are of no account, since text format names them.

    Args:
      name: of the message.
      fields: types by field name: `string`, `int64` or `bool`; `repeated int64` and the like; or
        a wrapper that tells "not set" from zero, such as `Int64Value`.

    Returns:
      The class, known to a descriptor pool of its own: it cannot clash with the real one.

    Example:
      >>> kind = message_type("Limits", {"rows": "Int64Value"})
      >>> text_format.Parse("rows { value: 3 }", kind()).rows.value
      3
    """
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name=f"prodcls/{name}.proto",
        package="prodcls",
        syntax="proto3",
        dependency=[wrappers.DESCRIPTOR.name],
    )
    described = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields.items(), start=1):
        label, _, scalar = kind.rpartition(" ")
        added = described.field.add(name=field, number=number)
        added.label = _Field.LABEL_REPEATED if label == "repeated" else _Field.LABEL_OPTIONAL
        if scalar in _SCALARS:
            added.type = _SCALARS[scalar]
        else:
            added.type = _Field.TYPE_MESSAGE
            added.type_name = f".google.protobuf.{scalar}"
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return factory.GetPrototype(pool.FindMessageTypeByName(f"prodcls.{name}"))
