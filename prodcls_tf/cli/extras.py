"""Which packages belong to which extra, for a message where one is missing."""

from __future__ import annotations

from typing import Optional

_EXTRA_OF = {
    "apache_beam": "pipeline",
    "keras_tuner": "pipeline",
    "ml_metadata": "pipeline",
    "tensorflow_model_analysis": "pipeline",
    "tensorflow_transform": "pipeline",
    "tfx": "pipeline",
    "tfx_bsl": "pipeline",
    "grpc": "serving",
    "grpc_health": "serving",
    "grpc_reflection": "serving",
    "prometheus_client": "serving",
    "starlette": "serving",
    "uvicorn": "serving",
}


def what_is_missing(error: Exception) -> Optional[str]:
    """Says how to mend a failed import of a package that an installation may lack.

    Args:
      error: that ended a command.

    Returns:
      The message; None where the error is another.

    Example:
      >>> what_is_missing(ModuleNotFoundError(name="tfx.components"))[:40]
      'This command needs packages of the extra'
    """
    if not isinstance(error, ModuleNotFoundError):
        return None
    package = (error.name or "").partition(".")[0]
    extra = _EXTRA_OF.get(package)
    if extra is None:
        return None
    return (
        f"This command needs packages of the extra `{extra}`. Received an installation without "
        f"{package}. Run: pip install 'prodcls[{extra}]'"
    )
