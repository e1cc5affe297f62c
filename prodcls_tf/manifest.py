"""The manifest of a model's folder: which files it has, how large, with which digests.

It is written last, so a folder whose manifest agrees with its files is complete. It guards
against accidents (half a copy, a bad disk, two versions in one folder), not against someone who
may write to the folder: he could write the manifest too. Pure Python: the server reads it before
TensorFlow sees the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, Optional

from prodcls_tf.errors import ModelError

MANIFEST = "assets.extra/manifest.json"

# Begins the name of what stands beside a version that is on its way in or out: its staging folder,
# or a marker where no rename is atomic. `ProductClassifier.export` stages under other names.
STAGING = ".tmp-push-"

_FORMAT = 1
_CHUNK = 1 << 20
# A larger one than any model's manifest is some other file.
_MOST_BYTES = 16 << 20


class FileRecord(NamedTuple):
    """What the manifest says of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read.

    Args:
      files: by their paths within the model's folder, with `/` between the parts.

    Example:
      >>> manifest = Manifest.read(Path("serving/prodcls/1"))  # doctest: +SKIP
      >>> manifest.incomplete(Path("serving/prodcls/1"))  # doctest: +SKIP
      []
    """

    files: Mapping[str, FileRecord]

    @classmethod
    def read(cls, folder: Path) -> Optional[Manifest]:
        """Reads the manifest of a model's folder.

        Args:
          folder: of the model.

        Returns:
          The manifest, None where there is none.

        Raises:
          ModelError: there is one that cannot be understood, for instance half a one.
        """
        path = folder / MANIFEST
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, str(error)) from None
        try:
            return cls(_records(json.loads(content[:_MOST_BYTES])))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable(path, f"{type(error).__name__}: {error}") from None

    def incomplete(self, folder: Path) -> list[str]:
        """Returns the files that are missing or of another size, by their names; reads none."""
        return [name for name, record in self.files.items() if _size(folder / name) != record.size]

    def corrupt(self, folder: Path, digest: Optional[Callable[[Path], str]] = None) -> list[str]:
        """Returns the files whose content differs. Reads all of them once, in pieces.

        Args:
          folder: of the files.
          digest: does the work of `sha256_of`, elsewhere; None for here and now.

        Raises:
          OSError: a file cannot be read.
        """
        there = digest or sha256_of
        return [name for name, r in self.files.items() if there(folder / name) != r.sha256]

    def unlisted(self, folder: Path) -> list[str]:
        """Returns the files that lie in the folder though the manifest does not name them."""
        return [name for name in _names(folder) if name not in self.files and name != MANIFEST]


def write_manifest(folder: Path) -> None:
    """Writes the manifest of all files in a model's folder. Nothing may be written after it.

    Args:
      folder: of the model, complete.

    Raises:
      OSError: a file cannot be read, or the manifest cannot be written.

    Example:
      >>> write_manifest(Path("serving/prodcls/1"))  # doctest: +SKIP
    """
    files = {
        name: {"size": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
        for name in _names(folder)
        if name != MANIFEST
    }
    path = folder / MANIFEST
    path.parent.mkdir(exist_ok=True)
    # Under another name first, so that no reader ever meets half a manifest.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"format": _FORMAT, "files": files}, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def check_manifest(folder: Path) -> bool:
    """Checks a model's folder against its manifest, digests included.

    Args:
      folder: of the model.

    Returns:
      Whether it has a manifest; one without is not checked.

    Raises:
      ModelError: the manifest cannot be understood, or the files differ from it.

    Example:
      >>> check_manifest(Path("serving/prodcls/1"))  # doctest: +SKIP
      True
    """
    manifest = Manifest.read(folder)
    if manifest is None:
        return False
    try:
        differing = manifest.incomplete(folder) or manifest.corrupt(folder)
    except OSError as error:
        raise ModelError(f"A model's files must be readable. Received {error}.") from None
    if differing:
        raise ModelError(
            f"A model's files must be as its {MANIFEST} says. Received {folder}, where "
            f"{', '.join(differing)} differ. Copy or push that version again."
        )
    return True


def _names(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            yield (Path(parent) / name).relative_to(folder).as_posix()


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits; reads it in pieces.

    Raises:
      OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def _size(path: Path) -> Optional[int]:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _records(content: Any) -> dict[str, FileRecord]:
    if content["format"] != _FORMAT:
        raise ValueError(f"its format is {content['format']}, not {_FORMAT}")
    records = {}
    for name, record in content["files"].items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or str(path) != name:
            raise ValueError(f"{name!r} is no path within the folder")
        records[name] = FileRecord(int(record["size"]), str(record["sha256"]))
    return records


def _unreadable(path: Path, why: str) -> ModelError:
    return ModelError(
        f"A manifest must be one that this version of prodcls understands. Received {path}: "
        f"{why}. Copy or push that version again."
    )
