"""The pushed versions of a model: folders with numbers as names, of which the highest serves."""

from __future__ import annotations

from pathlib import Path

GRAPH = "saved_model.pb"


def versions(serving: Path) -> list[Path]:
    """Returns the folders of a model's versions, in no order; none where the folder is missing."""
    if not serving.is_dir():
        return []
    return [folder for folder in serving.iterdir() if folder.is_dir() and folder.name.isdigit()]


def newest_version(serving: Path) -> Path | None:
    """Returns the version that TensorFlow Serving loads, None where there is none."""
    return max(versions(serving), key=number, default=None)


def number(version: Path) -> int:
    """Returns a version's number: its folder's name."""
    return int(version.name)
