"""What a REST request's body says, whatever the call: its JSON, its signature, values and bytes.

Messages begin as TF Serving's do. It repeats a wrong value in whole; here a long one is cut.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any, Optional

from serving.server.status import Code, ServingError

_SIGNATURE, _BASE64 = "signature_name", "b64"
_LONGEST_SHOWN = 200

_JSON_NAMES = {type(None): "Null", dict: "Object", list: "Array", str: "String"}

Document = dict[str, Any]


def parse_body(body: bytes) -> Document:
    """Reads a request's body.

    Args:
      body: a JSON object, in which NaN, Infinity and -Infinity may stand for numbers. Bytes of
        its strings that are no UTF-8 are kept as they are, as TF Serving keeps them.

    Returns:
      The object.

    Raises:
      ServingError: INVALID_ARGUMENT, it is something else.

    Example:
      >>> parse_body(b'{"instances": [1.5]}')
      {'instances': [1.5]}
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = json.loads(body.decode("utf-8", errors="surrogateescape"))
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from None
    except RecursionError:
        raise invalid("JSON Parse error: The document is nested too deeply.") from None
    except ValueError:  # a whole number of more digits than Python reads
        raise invalid("JSON Parse error: Number too big to be stored in double.") from None
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {shown(document)} Is not object")
    return document


def signature_name(document: Document) -> str:
    """Returns the signature that a request names; empty for the default one.

    Raises:
      ServingError: INVALID_ARGUMENT, it is no string.
    """
    name = document.get(_SIGNATURE, "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {shown(document)} not formatted correctly. '{_SIGNATURE}' key must be a "
            "string value."
        )
    return printable(name)


def is_lossless(value: float, most_whole: int, largest: Optional[float]) -> bool:
    """Says whether a floating type holds a number, as TF Serving judges it.

    Args:
      value: whole or not.
      most_whole: up to which all whole numbers are held exactly.
      largest: finite number of the type; None for float64.
    """
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return abs(value) <= most_whole
    try:
        value = float(value)
    except OverflowError:
        return False
    return largest is None or not math.isfinite(value) or abs(value) <= largest


def lossy(value: Any, target: str) -> ServingError:
    """Returns the error for a number that a type does not hold."""
    return invalid(
        f"Cannot convert JSON value: {shown(value)} to {target} without loss of precision."
    )


def is_base64(value: Any) -> bool:
    """Says whether a JSON value stands for bytes: an object with the string `b64` alone."""
    return isinstance(value, dict) and list(value) == [_BASE64] and isinstance(value[_BASE64], str)


def from_base64(value: Mapping[str, str]) -> bytes:
    """Returns the bytes that such a value stands for; padding may be left out.

    Raises:
      ServingError: INVALID_ARGUMENT, it is not base64.
    """
    text = "".join(value[_BASE64].split()).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def encoded(text: str) -> bytes:
    """Returns the bytes that stood in the body.

    Raises:
      ServingError: INVALID_ARGUMENT, half of a surrogate pair was written as an escape.
    """
    try:
        return text.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError:
        raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from None


def printable(text: str) -> str:
    """Returns a text of the body with a mark for whatever is no UTF-8."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def shown(value: Any) -> str:
    """Writes the beginning of a JSON value, for a message to whoever sent it."""
    written = ""
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        written += piece[: _LONGEST_SHOWN + 1]
        if len(written) > _LONGEST_SHOWN:
            return printable(written[:_LONGEST_SHOWN]) + "..."
    return printable(written)


def json_name(value: Any) -> str:
    """Returns what JSON calls the type of a value."""
    if isinstance(value, bool):
        return str(value)
    return _JSON_NAMES.get(type(value), "Number")


def invalid(message: str) -> ServingError:
    """Returns the error for a request that cannot be read."""
    return ServingError(Code.INVALID_ARGUMENT, message)
