"""Which packages belong to which extra, for a message where one is missing."""

from __future__ import annotations

from typing import Optional

_OF_EXTRAS = {
    "client": ("grpc",),
    "serving": (
        *("grpc_health", "grpc_reflection", "prometheus_client", "starlette", "uvicorn"),
        *("numpy", "tensorflow", "tensorflow_serving", "tensorflow_text", "tf_keras"),
    ),
    "pipeline": (
        *("apache_beam", "keras_tuner", "ml_metadata", "tensorflow_data_validation"),
        *("tensorflow_metadata", "tensorflow_model_analysis", "tensorflow_transform", "tfx"),
        *("tfx_bsl", "matplotlib", "pandas", "pyarrow", "pycld2", "safetensors"),
        *("sklearn", "tensorboard", "transformers"),
    ),
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
    for extra, packages in _OF_EXTRAS.items():
        if package in packages:
            # Which of them is enough depends on the command; the last one has everything.
            more = " to serve, 'prodcls[pipeline]' for all else" if extra == "serving" else ""
            return (
                f"This command needs packages of the extra `{extra}`. Received an installation "
                f"without {package}. Run: pip install 'prodcls[{extra}]'{more}"
            )
    return None
