"""What is known of the versions that are kept in a model's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from prodcls_tf.release.versions import missing_files, version_numbers

_METRICS = "assets.extra/metrics.json"


@dataclass(frozen=True)
class KeptVersion:
    """A version on disk.

    Attributes:
      number: its folder's name.
      folder: of the version.
      pushed: when its folder was made.
      size: bytes of all its files.
      missing: files that it lacks; none of a complete one.
      figures: by split, as its training measured them; empty where they are not known.
    """

    number: int
    folder: Path
    pushed: datetime
    size: int
    missing: tuple[str, ...]
    figures: Mapping[str, Mapping[str, Any]]


def kept_versions(base: Path) -> list[KeptVersion]:
    """Looks at the versions in a model's folder, newest first.

    Raises:
      OSError: the folder cannot be read.

    Example:
      >>> [version.number for version in kept_versions(Path("serving/prodcls"))]  # doctest: +SKIP
      [1795489515, 1795480000]
    """
    numbers = version_numbers(entry.name for entry in base.iterdir() if entry.is_dir())
    folders = ((number, base / str(number)) for number in reversed(numbers))
    return [_look(number, folder) for number, folder in folders if folder.is_dir()]


def _look(number: int, folder: Path) -> KeptVersion:
    return KeptVersion(
        number=number,
        folder=folder,
        pushed=datetime.fromtimestamp(folder.stat().st_mtime, timezone.utc),
        size=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        missing=tuple(missing_files(folder)),
        figures=_figures(folder / _METRICS),
    )


def _figures(file: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        figures = json.loads(file.read_text(encoding="utf-8"))
        return {split: dict(values) for split, values in figures.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
