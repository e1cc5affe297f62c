"""Which versions lie on disk, and which of them could be loaded.

A SavedModel is code: what is not complete, or reaches out of its folder, is told apart here,
before TensorFlow sees it.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from prodcls_tf.errors import ModelError
from prodcls_tf.manifest import MANIFEST, STAGING, Manifest, sha256_of
from serving.server.background import in_background
from serving.server.status import Code, ServingError
from serving.versions import GRAPH, version_numbers

logger = logging.getLogger(__name__)

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"

# The messages of the protocol hold versions as int64.
_LARGEST = 2**63 - 1

# What TensorFlow or the server would read though no manifest names it: files of another version
# that was copied over this one.
_READ = ("saved_model.", "variables/", "assets/", WARMUP_FILE)


@dataclass(frozen=True)
class Found:
    """A version's folder as it was found on disk.

    Args:
      folder: of the version.
      fingerprint: changes with every change of a file; reading no file is needed for it.
      changed: when the last change was made, in seconds since the epoch.
      has_manifest: whether its completeness is certain.
      incomplete: what is missing, if anything: it may still be copied.
      unsafe: why it must not be loaded, if so.
    """

    folder: Path
    fingerprint: int
    changed: float
    has_manifest: bool
    incomplete: Optional[ServingError] = None
    unsafe: Optional[ServingError] = None


def list_versions(base: Path) -> dict[int, Path]:
    """Lists the versions of a model.

    Args:
      base: the model's folder; may be a link.

    Returns:
      The versions' folders by number, oldest first.

    Raises:
      OSError: the folder is not there or cannot be read.
    """
    return {n: base / str(n) for n in version_numbers(base) if n <= _LARGEST}


def inspect(folder: Path) -> Found:
    """Looks at a version's folder without reading its files, but for the manifest.

    Args:
      folder: of the version, in the model's folder.

    Returns:
      What was found.

    Raises:
      OSError: the folder vanished meanwhile, or cannot be read.

    Example:
      >>> inspect(Path("serving/prodcls/1")).incomplete  # doctest: +SKIP
    """
    entries = list(_walk(folder))
    fingerprint = hash(tuple((name, s.st_size, s.st_ctime_ns, s.st_ino) for name, s in entries))
    changed = max(entry.st_ctime for _, entry in entries)
    unsafe = _unsafe(folder, [(name, entry.st_mode) for name, entry in entries])
    if unsafe:
        return Found(folder, fingerprint, changed, False, unsafe=unsafe)
    try:
        manifest = Manifest.read(folder)
    except ModelError as error:
        return Found(folder, fingerprint, changed, True, incomplete=_incomplete(str(error)))
    missing = _missing(folder, manifest)
    incomplete = _incomplete(
        f"The version must be complete. Received {folder}, where {', '.join(missing)} is missing "
        "or not of its full length. Copy or push it again."
    )
    return Found(
        folder, fingerprint, changed, manifest is not None, incomplete if missing else None
    )


def verify(folder: Path) -> None:
    """Checks a complete version's content before it is loaded; reads every file once.

    Args:
      folder: of the version.

    Raises:
      ServingError: a file's digest differs from the manifest's (DATA_LOSS), or there are files of
        another version (FAILED_PRECONDITION).
    """
    try:
        manifest = Manifest.read(folder)
        if manifest is None:
            logger.warning(
                "%s has no %s: whether it is complete cannot be told. It is loaded as it is.",
                folder,
                MANIFEST,
            )
            return
        corrupt = manifest.corrupt(folder, lambda file: in_background(lambda: sha256_of(file)))
        foreign = [name for name in manifest.unlisted(folder) if name.startswith(_READ)]
    except (OSError, ModelError) as error:
        raise ServingError(Code.DATA_LOSS, f"{folder} cannot be read: {error}") from error
    if corrupt:
        raise ServingError(
            Code.DATA_LOSS,
            f"A version's files must be as its {MANIFEST} says. Received {folder}, where "
            f"{', '.join(corrupt)} differs. Copy or push it again.",
        )
    if foreign:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f"A version must hold the files that its {MANIFEST} names, and no others that a "
            f"server reads. Received {folder} with {', '.join(foreign)}. Remove that.",
        )


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The folder and all in it, by name, links not followed."""
    yield ".", folder.stat()
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted(folders + files):
            path = Path(parent) / name
            yield path.relative_to(folder).as_posix(), path.lstat()


def _raise(error: OSError) -> None:
    raise error


def _unsafe(folder: Path, entries: list[tuple[str, int]]) -> Optional[ServingError]:
    """The error of a folder that reaches out of itself, or holds what is no file."""
    whole = folder.resolve()
    if not whole.is_relative_to(folder.parent.resolve()):
        return _refused(folder, ".", "is a link out of the model's folder")
    for name, mode in entries:
        if stat.S_ISLNK(mode):
            if not _stays_within(folder / name, whole):
                return _refused(folder, name, "is a link out of the version's folder")
            # What it leads to within the folder is looked at by itself.
        elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return _refused(folder, name, "is neither a file nor a folder")
    return None


def _stays_within(link: Path, whole: Path) -> bool:
    try:
        return link.resolve().is_relative_to(whole)
    except RuntimeError:  # links that lead to each other
        return False


def _refused(folder: Path, name: str, what: str) -> ServingError:
    return ServingError(
        Code.PERMISSION_DENIED,
        f"A version must consist of plain files in its own folder. Received {folder / name}, "
        f"which {what}. Copy the version with what its links lead to (cp -rL).",
    )


def _incomplete(message: str) -> ServingError:
    return ServingError(Code.FAILED_PRECONDITION, message)


def _missing(folder: Path, manifest: Optional[Manifest]) -> list[str]:
    if manifest is not None:
        return manifest.incomplete(folder)
    if (folder.parent / f"{STAGING}{folder.name}").exists():
        # A push to where no rename is atomic marks what it has not ended; its manifest comes last.
        return [MANIFEST]
    missing = [] if (folder / GRAPH).is_file() else [GRAPH]
    # The oldest SavedModels without variables have no such folder at all.
    if (folder / "variables").is_dir() and not (folder / "variables/variables.index").is_file():
        missing.append("variables/variables.index")
    return missing
