"""What a client asks and what it is told: requests built, responses read. Knows no transport."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union, cast

from prodcls_tf.errors import InputError, ModelError
from serving import messages
from serving.results import Answer, ModelVersion, Prediction

CATEGORIES, SCORES = "categories", "scores"

Texts = Union[Sequence[str], Mapping[str, Sequence[str]]]
# The texts of a row, encoded, in the order of the fields.
Row = tuple[bytes, ...]


@dataclass(frozen=True)
class Model:
    """Which model of a server is asked.

    Args:
      name: its name there.
      version: one version of it; None for the newest.
      label: the version that bears this label, instead.
      signature: the signature that is asked.

    Raises:
      InputError: both a version and a label are given.
    """

    name: str = "prodcls"
    version: Optional[int] = None
    label: Optional[str] = None
    signature: str = "serving_default"

    def __post_init__(self) -> None:
        if self.version is not None and self.label is not None:
            raise InputError(
                "A model is asked for by version or by label. Received version "
                f"{self.version} and label {self.label!r}. Give one of them."
            )

    def __str__(self) -> str:
        pinned = f" version {self.version}" if self.version is not None else ""
        return f"{self.name}{pinned}" + (f" labelled {self.label}" if self.label else "")

    def spec(self, signature: bool = False) -> Any:
        """Returns it as a ModelSpec message."""
        spec = messages.ModelSpec(name=self.name)
        if self.version is not None:
            spec.version.value = self.version
        if self.label is not None:
            spec.version_label = self.label
        if signature:
            spec.signature_name = self.signature
        return spec


def titles_alone(texts: Any) -> bool:
    """Whether a question is titles without the names of fields; a DataFrame has such names."""
    return not isinstance(texts, Mapping) and not hasattr(texts, "columns")


def rows_of(texts: Texts, fields: Optional[Sequence[str]]) -> tuple[list[str], list[Row]]:
    """Takes the rows out of what a user asks about.

    Args:
      texts: one list of strings for each field, or the titles alone.
      fields: the model's fields, the title first; needed for titles alone.

    Returns:
      The names of the fields and the rows, their texts encoded. With titles alone, the other
      fields are empty.

    Raises:
      InputError: a text is no string, the lists differ in length, or nobody knows which field
        the titles are.

    Example:
      >>> rows_of(["usb cable"], ["title", "brand"])
      (['title', 'brand'], [(b'usb cable', b'')])
    """
    if titles_alone(texts):
        fields = fields or ["title"]
        if len(fields) > 1 and "title" not in fields:
            raise InputError(
                f"A list of titles needs a field called title. Received a model with the fields "
                f"{', '.join(fields)}. Give a list for each: {{'{fields[0]}': [...], ...}}"
            )
        titles = _listed(texts)
        named: dict[str, Sequence[str]] = {field: [""] * len(titles) for field in fields}
        named["title" if "title" in fields else fields[0]] = titles
    else:
        named = dict(cast(Mapping[str, Sequence[str]], texts))
    columns = {str(field): _listed(column) for field, column in named.items()}
    lengths = {field: len(column) for field, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise InputError(
            "All text fields must have one string a row. Received "
            f"{f'lengths: {lengths}' if lengths else 'no field'}."
        )
    encoded = [_encoded(field, column) for field, column in columns.items()]
    return list(columns), list(zip(*encoded, strict=True))


def predict_request(model: Model, fields: Sequence[str], rows: Sequence[Row]) -> Any:
    """Builds a PredictRequest: one string tensor [rows] for each field."""
    request = messages.PredictRequest(model_spec=model.spec(signature=True))
    for field, column in zip(fields, zip(*rows, strict=True), strict=True):
        tensor = request.inputs[field]
        tensor.dtype = messages.DT_STRING
        tensor.tensor_shape.dim.add(size=len(rows))
        tensor.string_val.extend(column)
    return request


def answers(response: Any, rows: int) -> list[Answer]:
    """Reads a PredictResponse.

    Args:
      response: the message.
      rows: how many were asked about.

    Returns:
      One answer a row.

    Raises:
      ModelError: the outputs are not those of docs/model-contract.md.
    """
    outputs = response.outputs
    if CATEGORIES not in outputs or SCORES not in outputs:
        raise _off_contract(f"the outputs {', '.join(sorted(outputs)) or 'none'}")
    shapes = [_shape(outputs[name]) for name in (CATEGORIES, SCORES)]
    if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][0] != rows or not shapes[0][1]:
        raise _off_contract(f"outputs of shapes {shapes[0]} and {shapes[1]} for {rows} rows")
    width = shapes[0][1]
    values = _strings(outputs[CATEGORIES], rows * width)
    # Most categories stand in many rows: each is decoded once.
    paths = {path: path.decode("utf-8", errors="replace") for path in set(values)}
    scores = _floats(outputs[SCORES], rows * width)
    flat = [Prediction(paths[path], score) for path, score in zip(values, scores, strict=True)]
    version = response.model_spec.version.value
    return [
        Answer(tuple(flat[start : start + width]), version) for start in range(0, len(flat), width)
    ]


def fields_of(response: Any, signature: str) -> list[str]:
    """Reads the names of a signature's inputs from a GetModelMetadataResponse, the title first.

    Raises:
      ModelError: the model has no such signature, or one that does not take text.
    """
    signatures = messages.SignatureDefMap()
    signatures.ParseFromString(response.metadata["signature_def"].value)
    known = signatures.signature_def
    if signature not in known:
        raise _off_contract(f"the signatures {', '.join(sorted(known)) or 'none'}", signature)
    inputs = known[signature].inputs
    odd = [name for name in sorted(inputs) if inputs[name].dtype != messages.DT_STRING]
    if odd or not inputs:
        raise _off_contract(f"inputs that are no strings: {', '.join(odd) or 'none'}", signature)
    return sorted(inputs, key=lambda name: (name != "title", name))


def versions_of(response: Any) -> list[ModelVersion]:
    """Reads a GetModelStatusResponse, the newest version first."""
    states = messages.ModelVersionStatus.State
    codes = messages.StatusProto.Code
    read = []
    for entry in response.model_version_status:
        code, error = entry.status.error_code, entry.status.error_message
        name = codes.Name(code) if code in codes.values() else str(code)
        state = states.Name(entry.state) if entry.state in states.values() else str(entry.state)
        read.append(ModelVersion(entry.version, state, f"{name}: {error}" if code else ""))
    return sorted(read, key=lambda entry: -entry.version)


def _listed(texts: Any) -> list[Any]:
    if isinstance(texts, (str, bytes)):
        raise InputError(
            "Rows are a list of titles, or a list of texts for each field. Received one text. "
            "Put it into a list."
        )
    return list(texts)


def _encoded(field: str, column: Sequence[Any]) -> list[bytes]:
    for number, text in enumerate(column):
        if not isinstance(text, str):
            raise InputError(
                f"Texts must be strings. Received {type(text).__name__} in row {number} of "
                f"{field}. Write '' where there is none."
            )
    # A lone surrogate, which JSON can bring, has no UTF-8; it becomes a question mark.
    return [text.encode("utf-8", errors="replace") for text in column]


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(dim.size for dim in tensor.tensor_shape.dim)


def _strings(tensor: Any, size: int) -> list[bytes]:
    """The values of a string tensor, in either of the two ways to write them."""
    if tensor.dtype != messages.DT_STRING:
        raise _off_contract(f"{CATEGORIES} of the data type {tensor.dtype}")
    values = list(tensor.string_val)
    if tensor.tensor_content:
        values = _unpacked(tensor.tensor_content, size)
    if len(values) != size:
        raise _off_contract(f"{len(values)} {CATEGORIES} for {size} places")
    return values


def _unpacked(content: bytes, size: int) -> list[bytes]:
    """Reads strings as TensorFlow packs them: all lengths as varints, then all bytes."""
    lengths: list[int] = []
    place = value = shift = 0
    while place < len(content) and len(lengths) < size:
        value |= (content[place] & 0x7F) << shift
        shift += 7
        if content[place] < 0x80:
            lengths.append(value)
            value = shift = 0
        place += 1
    values = []
    for length in lengths:
        values.append(content[place : place + length])
        place += length
    if place != len(content):
        raise _off_contract(f"{len(content)} bytes of {CATEGORIES} where {place} are announced")
    return values


def _floats(tensor: Any, size: int) -> list[float]:
    """The values of a float32 tensor, in either of the two ways to write them."""
    if tensor.dtype != messages.DT_FLOAT:
        raise _off_contract(f"{SCORES} of the data type {tensor.dtype}")
    content, values = tensor.tensor_content, list(tensor.float_val)
    if content and len(content) == 4 * size:
        values = list(struct.unpack(f"<{size}f", content))
    if len(values) != size:
        raise _off_contract(f"{len(content) // 4 or len(values)} {SCORES} for {size} places")
    return values


def _off_contract(received: str, signature: str = "serving_default") -> ModelError:
    return ModelError(
        f"A model must take strings and give {CATEGORIES} and {SCORES} [rows, k] in its signature "
        f"{signature}. Received {received}. Ask a model that prodcls pushed; "
        "see docs/model-contract.md."
    )
