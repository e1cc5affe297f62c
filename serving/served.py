"""Which versions of a pushed model are to be served: the newest, or what `models.config` says.

`prodcls models promote` and `rollback` write that file beside the model's folder.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from serving.server.model_config import ModelConfig

CONFIG_FILE = "models.config"


def config_file(base: Path) -> Optional[Path]:
    """Returns the file that says what of a model's folder serves, None where there is none."""
    file = base.parent / CONFIG_FILE
    return file if file.is_file() else None


def ordered(base: Path) -> Optional[ModelConfig]:
    """Reads what is said of a model.

    Args:
      base: folder of its versions; its name is the model's.

    Returns:
      The entry as it stands in `models.config`, None where there is none.

    Raises:
      SettingsError: the file cannot be read or used.
    """
    from serving.server.model_config import read_model_config_file

    file = config_file(base)
    models = read_model_config_file(file) if file is not None else []
    return next((model for model in models if model.name == base.name), None)


def served_model(base: Path, name: str) -> ModelConfig:
    """Says which versions of a model are to be served, wherever its folder is by now.

    Args:
      base: folder of its versions.
      name: by which requests call it.

    Returns:
      What `models.config` says of it, else its newest version.

    Raises:
      SettingsError: that file cannot be read or used.

    Example:
      >>> served_model(Path("runs/mine/serving/prodcls"), "prodcls").policy  # doctest: +SKIP
      Policy(kind='latest', count=1, versions=frozenset())
    """
    from serving.server.model_config import ModelConfig

    model = ordered(base)
    if model is None:
        return ModelConfig(name, str(base))
    return dataclasses.replace(model, name=name, base_path=str(base))
