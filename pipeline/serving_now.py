"""Which model serves now: a folder on disk, whatever ML Metadata remembers of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.versions import GRAPH, number, versions
from prodcls_tf.errors import ModelError
from prodcls_tf.manifest import Manifest

# The index has a checksum of each weight.
_IDENTIFYING = (GRAPH, "variables/variables.index")


def identity(model: Path) -> str:
    """Returns a digest that two folders share where they hold the same model.

    Args:
      model: the folder of a SavedModel.

    Example:
      >>> identity(Path("serving/prodcls/17")) == identity(Path("other/place"))  # doctest: +SKIP
      True
    """
    digest = hashlib.sha256()
    for name in _IDENTIFYING:
        file = model / name
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()[:32]


def rival(serving: Path, candidate: Path) -> Path | None:
    """Finds the version that a candidate would take over from.

    It is the newest whole one that is not the candidate itself. Where the candidate serves already
    that is the version before it, the one that it was compared with when it came: so the same run
    once more compares the same two models, which makes it no work at all.

    Args:
      serving: the folder of versions.
      candidate: the folder of the new model.

    Returns:
      The version's folder, None where there is none.
    """
    itself = identity(candidate)
    for version in sorted(versions(serving), key=number, reverse=True):
        if _is_whole(version) and identity(version) != itself:
            return version
    return None


def _is_whole(version: Path) -> bool:
    """Says whether a version is one that servers load, rather than half a copy."""
    try:
        manifest = Manifest.read(version)
    except ModelError:
        return False
    if manifest is None:
        return (version / GRAPH).is_file()
    return not manifest.incomplete(version)
