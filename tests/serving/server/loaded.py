"""What stands for the registry where a test needs no more than one loaded version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

import numpy as np

from serving.server.servable import Servable, ServableId
from serving.server.status import Code, ServingError
from tests.serving.tiny_model import save_tiny_model

NAME, VERSION = "prodcls", 3


def load_tiny_model(folder: Path) -> Servable:
    """Saves and loads the tiny model."""
    return Servable.load(ServableId(NAME, VERSION), save_tiny_model(folder / str(VERSION)))


def strings(*values: bytes) -> np.ndarray:
    """The values as an input."""
    return np.array(values, object)


class OneVersion:
    """Lends one version out, as the registry does."""

    def __init__(self, servable: Servable) -> None:
        self.servable = servable

    @contextmanager
    def acquire(
        self, name: str, version: Optional[int] = None, label: Optional[str] = None
    ) -> Iterator[Servable]:
        if name != NAME or version not in (None, VERSION) or label:
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: Latest({name})")
        yield self.servable
