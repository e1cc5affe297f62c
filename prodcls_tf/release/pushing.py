"""Pushes a model on a disk: whoever looks at its folder finds whole versions, at any moment.

A version is copied into a staging folder, whose name is no number's and so no version's, is
written through to the disk, checked against its manifest and renamed. Whatever kills a push, the
next one removes what it left.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Optional

from prodcls_tf.durable import sync_folder, write_through
from prodcls_tf.errors import ModelError, OutputError, ProdclsError, SettingsError
from prodcls_tf.manifest import MANIFEST, STAGING, Manifest, write_manifest
from prodcls_tf.release.order import read_order
from prodcls_tf.release.versions import (
    GRAPH,
    HIGHEST,
    WEIGHTS,
    complete_versions,
    highest_ever,
    next_number,
    superseded,
    version_numbers,
)

_CHUNK = 1 << 20

logger = logging.getLogger(__name__)


def push(model: Path, base: Path, *, keep: int = 5, clock: Callable[[], float] = time.time) -> Path:
    """Copies a model to a new version, the highest in its folder.

    Args:
      model: folder of an exported SavedModel. One without a manifest gets one.
      base: folder of the versions; made if missing. A second push waits for the first.
      keep: older versions that stay, beside those that `models.config` names; at least 1.
      clock: says the time, which is the version's number unless that is taken.

    Returns:
      The version's folder, complete and on the disk.

    Raises:
      ModelError: the model is incomplete or differs from its manifest. Nothing was pushed.
      OutputError: the folder cannot be written, or the disk is full. Nothing was pushed.

    Example:
      >>> push(Path("model"), Path("serving/prodcls"))  # doctest: +SKIP
      PosixPath('serving/prodcls/1795489515')
    """
    with _telling_why(base):
        base.mkdir(parents=True, exist_ok=True)
        sync_folder(base.parent)
        with held(base):
            sweep(base)
            number = next_number([*_numbers(base), _highest(base)], clock())
            staged, version = base / f"{STAGING}{number}", base / str(number)
            try:
                _copy(model, staged)
                _check(staged, model)
                write_through(base / HIGHEST, str(number).encode())
                staged.rename(version)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
            sync_folder(base)
            _remove_superseded(base, keep)
    return version


def clean(base: Path, keep: int) -> None:
    """Removes leftovers of killed pushes, and the versions that a push would remove.

    Args:
      base: folder of the versions.
      keep: older versions that stay, as in `push`.
    """
    with _telling_why(base), held(base):
        sweep(base)
        _remove_superseded(base, keep)


def find_pushed(model: Path, base: Path) -> Optional[Path]:
    """Finds a model among the versions that a further push of it would not improve on.

    Args:
      model: folder of an exported SavedModel.
      base: folder of the versions.

    Returns:
      The newest version or one that serves, where it is this very model and undamaged; else None.
    """
    complete, wanted = complete_versions(base), Manifest.read(model)
    try:
        serving = read_order(base).wanted(complete)
    except SettingsError:  # a push changes nothing about it
        serving = []
    for number in dict.fromkeys([*complete[-1:], *serving]):
        version = base / str(number)
        there = Manifest.read(version)
        if there is not None and there == wanted and not there.corrupt(version):
            return version
    return None


@contextlib.contextmanager
def held(base: Path) -> Iterator[None]:
    """Keeps other pushes out of a model's folder within the `with` block; waits for its turn."""
    descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # The system takes the lock back when the process ends, even when it is killed.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sweep(base: Path) -> None:
    """Removes what killed pushes left. Call while the folder is held."""
    for entry in base.iterdir():
        if entry.name.startswith(STAGING):
            shutil.rmtree(entry)


def _remove_superseded(base: Path, keep: int) -> None:
    """Removes versions that are neither kept nor needed.

    What goes wrong is logged, not raised: the new version is there, and the next push tries again.
    """
    try:
        order, complete = read_order(base), complete_versions(base)
        needed = order.named.union(order.wanted(complete))
        for number in superseded(_numbers(base), complete, keep, needed):
            gone = base / f"{STAGING}gone-{number}"
            # Renamed first: half a version must never be seen.
            with contextlib.suppress(FileNotFoundError):
                (base / str(number)).rename(gone)
                shutil.rmtree(gone)
    except (OSError, ProdclsError) as error:
        logger.warning("Old versions in %s were left there: %s", base, error)


def _numbers(base: Path) -> list[int]:
    return version_numbers(entry.name for entry in base.iterdir())


def _highest(base: Path) -> int:
    """The number of the highest version ever: that one may have been deleted since."""
    file = base / HIGHEST
    return highest_ever(file.read_bytes()) if file.is_file() else 0


def _copy(source: Path, target: Path) -> None:
    """Copies a folder, and returns when all of it is on the disk."""
    target.mkdir()
    for entry in sorted(source.iterdir()):
        copied = target / entry.name
        if entry.is_dir():
            _copy(entry, copied)
            continue
        with entry.open("rb") as reading, copied.open("xb") as writing:
            shutil.copyfileobj(reading, writing, _CHUNK)
            writing.flush()
            os.fsync(writing.fileno())
    sync_folder(target)


def _check(staged: Path, model: Path) -> None:
    """Refuses a copy that a server would refuse."""
    faults = [f"{name} is missing" for name in (GRAPH, WEIGHTS) if not (staged / name).is_file()]
    try:
        manifest = Manifest.read(staged)
    except ModelError as error:
        raise _unfit(model, [str(error)]) from None
    if manifest is None:
        write_manifest(staged)
        sync_folder((staged / MANIFEST).parent)
        sync_folder(staged)
    else:
        differing = manifest.incomplete(staged) or manifest.corrupt(staged)
        faults += [f"{name} is not as its manifest says" for name in differing]
        faults += [f"its manifest does not name {name}" for name in manifest.unlisted(staged)]
    if faults:
        raise _unfit(model, faults)


def _unfit(model: Path, faults: list[str]) -> ModelError:
    return ModelError(
        f"A model must be complete to be pushed. Received {model}: {'; '.join(faults)}. Nothing "
        "was pushed. Delete that folder and export the model again."
    )


@contextlib.contextmanager
def _telling_why(base: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            "A push needs a folder that can be written, with room for one more copy of the model. "
            f"Received {base}: {error}. What serves serves on. Free some space or check the "
            "permissions, and run the same command again: finished steps are kept."
        ) from error
