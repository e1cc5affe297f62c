"""Every error that prodcls raises on purpose.

Each message says the rule, what was received, and what to do next. The command line prints the
message alone; a library user catches `ProdclsError`, or one of its kinds.
"""

from __future__ import annotations


class ProdclsError(Exception):
    """Base of all errors of this project: something the user can mend."""


class SettingsError(ProdclsError):
    """A setting is unknown, of the wrong type or out of range."""


class InputError(ProdclsError):
    """A product file, or data given to the library, cannot be used as it is."""


class RejectsError(InputError):
    """More rows of the product files than allowed cannot be read."""


class DataError(ProdclsError):
    """Product rows are not like those accepted before, or what was accepted cannot be read."""


class EncoderError(ProdclsError):
    """A pretrained encoder cannot be found or loaded."""


class ModelError(ProdclsError):
    """A saved model cannot be found or read, or does not fit what is asked of it."""


class OutputError(ProdclsError):
    """A result cannot be written: no permission, no disk, or a file in the way."""


class TrainingError(ProdclsError):
    """A training cannot go on, for instance because the loss is no longer a number."""


class TrackingError(ProdclsError):
    """Weights & Biases was asked for and cannot be used: no package, no key, or no answer."""


class RunError(ProdclsError):
    """A step of a pipeline run failed, or refused to let a model through."""


class ServerError(ProdclsError):
    """A model server cannot be reached, or did not answer as asked.

    Attributes:
      code: the name of the gRPC status code, such as `UNAVAILABLE`.
      details: what the server, or gRPC in its place, says.
    """

    def __init__(self, message: str, code: str = "UNKNOWN", details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.details = details
