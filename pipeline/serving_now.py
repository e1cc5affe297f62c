"""Which model serves now: a folder on disk, whatever ML Metadata remembers of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from prodcls_tf.errors import SettingsError
from prodcls_tf.release.order import read_order
from prodcls_tf.release.versions import GRAPH, WEIGHTS, complete_versions

# The index of the weights has a checksum of each.
_IDENTIFYING = (GRAPH, WEIGHTS)


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

    It is the one that serves; where that is the candidate itself, the version before it, the one
    that it was compared with when it came: so the same run once more compares the same two
    models, which makes it no work at all.

    Args:
      serving: the folder of versions.
      candidate: the folder of the new model.

    Returns:
      The version's folder, None where there is none.
    """
    itself = identity(candidate)
    complete = complete_versions(serving)
    for number in [*_serving(serving, complete), *reversed(complete)]:
        version = serving / str(number)
        if identity(version) != itself:
            return version
    return None


def _serving(serving: Path, complete: list[int]) -> list[int]:
    """The versions that `models.config` orders; none of a damaged one."""
    try:
        return read_order(serving).wanted(complete)
    except SettingsError:
        return []
