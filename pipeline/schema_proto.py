"""The accepted schema: a text file of TensorFlow Metadata that people read and edit.

Imports neither TensorFlow nor TFX: `prodcls schema show` is there in a moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Optional

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from prodcls_tf.errors import DataError
from prodcls_tf.features import CATEGORY


def to_review(inferred: schema_pb2.Schema, categories: Iterable[str]) -> str:
    """Makes what people review of what SchemaGen infers.

    SchemaGen takes any column of few values for a choice between these, titles of a small file
    too, and none of many values, categories of a large shop too. Here the categories are the one
    closed list, and a complete one.

    Args:
      inferred: SchemaGen's schema.
      categories: all category paths of the rows.

    Returns:
      The schema as text.
    """
    schema = schema_pb2.Schema()
    schema.CopyFrom(inferred)
    del schema.string_domain[:]
    for feature in schema.feature:
        _open(feature)
        if feature.name == CATEGORY:
            feature.string_domain.value.extend(sorted(categories))
    return str(text_format.MessageToString(schema, as_utf8=True))


def read_schema(path: Path) -> schema_pb2.Schema:
    """Reads an accepted schema.

    Args:
      path: of the text file.

    Returns:
      The schema.

    Raises:
      DataError: it cannot be read, or it is no schema; the message names line and column.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise DataError(
            "An accepted schema must be a Schema of TensorFlow Metadata, written as text. "
            f"Received {path}: {error}. Mend that line. Or move the folder {path.parent} away: "
            "the one accepted before it counts again, or, without one, the next run's rows do."
        ) from None


def allowed_categories(schema: schema_pb2.Schema) -> Optional[list[str]]:
    """Returns the categories that a schema allows, None where it has no list of them."""
    for feature in schema.feature:
        if feature.name == CATEGORY and feature.WhichOneof("domain_info") == "string_domain":
            return list(feature.string_domain.value)
        if feature.name == CATEGORY and feature.domain:
            named = (one for one in schema.string_domain if one.name == feature.domain)
            return [value for domain in named for value in domain.value]
    return None


def without_categories(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """Returns a copy of a schema that allows any category."""
    copy = schema_pb2.Schema()
    copy.CopyFrom(schema)
    for feature in copy.feature:
        if feature.name == CATEGORY:
            _open(feature)
    return copy


def _open(feature: schema_pb2.Feature) -> None:
    """Takes from a feature what limits it to certain values."""
    limits = feature.WhichOneof("domain_info")
    if limits is not None:
        feature.ClearField(limits)
