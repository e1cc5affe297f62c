"""Canonical status codes, and the one error that the server answers with.

gRPC's numbers and HTTP's are the same table seen from two sides; the faces only look up.
"""

from __future__ import annotations

import enum

from prodcls_tf.errors import ProdclsError


class Code(enum.Enum):
    """A canonical status code.

    Attributes:
      number: its number in gRPC, which is TensorFlow's too.
      http: the HTTP status that stands for it.

    Example:
      >>> Code.NOT_FOUND.number, Code.NOT_FOUND.http
      (5, 404)
    """

    OK = (0, 200)
    CANCELLED = (1, 500)
    UNKNOWN = (2, 500)
    INVALID_ARGUMENT = (3, 400)
    DEADLINE_EXCEEDED = (4, 504)
    NOT_FOUND = (5, 404)
    ALREADY_EXISTS = (6, 500)
    PERMISSION_DENIED = (7, 500)
    RESOURCE_EXHAUSTED = (8, 429)
    FAILED_PRECONDITION = (9, 400)
    ABORTED = (10, 500)
    OUT_OF_RANGE = (11, 400)
    UNIMPLEMENTED = (12, 501)
    INTERNAL = (13, 500)
    UNAVAILABLE = (14, 503)
    DATA_LOSS = (15, 500)
    UNAUTHENTICATED = (16, 500)

    def __init__(self, number: int, http: int) -> None:
        self.number = number
        self.http = http

    @classmethod
    def of_number(cls, number: int) -> Code:
        """Returns the code with a canonical number; UNKNOWN for a number that has none."""
        return _BY_NUMBER.get(number, cls.UNKNOWN)


_BY_NUMBER = {code.number: code for code in Code}


class ServingError(ProdclsError):
    """A request, or the load of a version, that fails: a code for programs, a message for people.

    Args:
      code: what kind of failure it is.
      message: where TensorFlow Serving has a message of its own, it begins like that one.

    Example:
      >>> raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
      Traceback (most recent call last):
      ...
      serving.server.status.ServingError: INVALID_ARGUMENT: Missing ModelSpec
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


def from_tensorflow(error: BaseException) -> ServingError:
    """Turns whatever TensorFlow raised into the error that the client gets.

    Args:
      error: a `tf.errors.OpError` bears a code of its own; anything else is a fault of ours
        (INTERNAL), but for exhausted memory and for words that quote bytes.

    Returns:
      The error, to be raised `from` the original one.
    """
    number = getattr(error, "error_code", None)
    if isinstance(number, int):
        return ServingError(Code.of_number(number), str(getattr(error, "message", error)))
    if isinstance(error, UnicodeDecodeError):
        # TensorFlow quotes the value that it cannot take; Python reads its words as UTF-8, fails,
        # and the code is lost. Nothing but a request's own bytes comes there.
        return ServingError(Code.INVALID_ARGUMENT, error.object.decode("utf-8", "replace"))
    if isinstance(error, MemoryError):
        return ServingError(Code.RESOURCE_EXHAUSTED, "The server is out of memory.")
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
