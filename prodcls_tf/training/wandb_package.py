"""The optional package `wandb`: imported here alone, and only where the settings name a project."""

from __future__ import annotations

import importlib.metadata
import os
from typing import Any

from prodcls_tf.errors import TrackingError
from prodcls_tf.settings import WandbSettings


def check_wandb(settings: WandbSettings) -> None:
    """Says at once what would stop a training later. Asks no server.

    Args:
      settings: without a project nothing is checked, and nothing is imported.

    Raises:
      TrackingError: the package is not installed, or there is no key to go online with.

    Example:
      >>> check_wandb(WandbSettings())
    """
    if not settings.project:
        return
    try:
        # Not whether it can be found: each folder that wandb left behind could be imported, too.
        importlib.metadata.version("wandb")
    except importlib.metadata.PackageNotFoundError:
        raise TrackingError(
            "Weights & Biases needs the package wandb. Received wandb.project="
            f"{settings.project} where it is not installed. Run: pip install 'prodcls[wandb]', or "
            "leave wandb.project empty."
        ) from None
    if settings.mode == "online" and not _has_key():
        raise TrackingError(
            "Weights & Biases needs an API key to go online. Received wandb.mode=online and none, "
            "neither in WANDB_API_KEY nor from `wandb login`. Set one, or use "
            "wandb.mode=offline and send the run later with `wandb sync`."
        )


def import_wandb() -> Any:
    """Imports the package, quietly, and without reports to its makers.

    Returns:
      The module.
    """
    # wandb sends its own errors to its makers, with the values of variables.
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    # Read once; the setting of a run comes too late to keep "Loaded credentials" off the terminal.
    os.environ.setdefault("WANDB_SILENT", "true")
    # By this, the wandb of a process above, such as a search, would send for this one as well.
    os.environ.pop("WANDB_SERVICE", None)
    import wandb

    return wandb


def _has_key() -> bool:
    return bool(os.environ.get("WANDB_IDENTITY_TOKEN_FILE") or import_wandb().api.api_key)
