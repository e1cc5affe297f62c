"""Pushes a model to an object store, through TFX's fileio: there, no rename is atomic.

A version is whole when its manifest is there, which is written last; the graph, without which no
server takes a folder for a model, is written last but one. A marker beside the versions, written
before the first file and removed after the last one, tells the next push what a killed one left.
One push at a time: an object store has no lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import posixpath
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf
from tfx.dsl.io import fileio

from prodcls_tf.errors import ModelError, OutputError, ProdclsError
from prodcls_tf.manifest import MANIFEST, STAGING, Manifest
from prodcls_tf.release.order import CONFIG_FILE, Order, parse_order
from prodcls_tf.release.versions import (
    GRAPH,
    HIGHEST,
    highest_ever,
    next_number,
    superseded,
    version_numbers,
)

# The marker of a version that is being removed ends in its number, too.
_GONE = "gone-"
_CHUNK = 1 << 20

logger = logging.getLogger(__name__)


def is_remote(base: str) -> bool:
    """Says whether a folder is the address of an object store, such as `gs://shop/prodcls`."""
    return "://" in base


def push(model: Path, base: str, *, keep: int, clock: Callable[[], float] = time.time) -> str:
    """Copies a model to a new version, the highest in its folder.

    Args:
      model: folder of an exported SavedModel, with its manifest.
      base: address of the folder of the versions. A folder on a disk does as well.
      keep: older versions that stay, beside those that `models.config` names.
      clock: says the time, which is the version's number unless that is taken.

    Returns:
      The version's address.

    Raises:
      ModelError: the model is incomplete or differs from its manifest. Nothing was pushed.
      OutputError: the object store cannot be written. Nothing was pushed.
    """
    manifest = Manifest.read(model)
    if manifest is None or GRAPH not in manifest.files:
        raise ModelError(
            f"A model must have a manifest to be pushed to an object store. Received {model}. "
            "Nothing was pushed. Export it again with this version of prodcls."
        )
    with _telling_why(base):
        fileio.makedirs(base)
        sweep(base)
        number = next_number([*_numbers(base), _highest(base)], clock())
        version, marker = f"{base}/{number}", f"{base}/{STAGING}{number}"
        _write(marker, b"")
        _write(f"{base}/{HIGHEST}", str(number).encode())
        try:
            for name in [*(n for n in manifest.files if n != GRAPH), GRAPH]:
                _copy(model / name, f"{version}/{name}", manifest.files[name].sha256)
            _write(f"{version}/{MANIFEST}", (model / MANIFEST).read_bytes())
        except BaseException:
            _remove(version)
            raise
        finally:
            fileio.remove(marker)
    clean(base, keep)
    return version


def find_pushed(model: Path, base: str) -> str | None:
    """Finds a model among the versions that a further push of it would not improve on.

    Args:
      model: folder of an exported SavedModel.
      base: address of the folder of the versions.

    Returns:
      The newest version or one that serves, where it is this very model; else None.
    """
    with _telling_why(base):
        complete, serving = _complete(base), Order()
        with contextlib.suppress(ProdclsError):
            serving = _order(base)
        for number in dict.fromkeys([*complete[-1:], *serving.wanted(complete)]):
            there = json.loads(_read(f"{base}/{number}/{MANIFEST}"))
            if there == json.loads((model / MANIFEST).read_bytes()):
                return f"{base}/{number}"
    return None


def sweep(base: str) -> None:
    """Removes what killed pushes left: versions without a manifest, and half-removed ones."""
    for name in _names(base):
        if not name.startswith(STAGING):
            continue
        number = name.removeprefix(STAGING)
        version = f"{base}/{number.removeprefix(_GONE)}"
        if number.startswith(_GONE) or not fileio.exists(f"{version}/{MANIFEST}"):
            _remove(version)
        fileio.remove(f"{base}/{name}")


def clean(base: str, keep: int) -> None:
    """Removes versions that are neither kept nor needed; what goes wrong is logged, not raised.

    Args:
      base: address of the folder of the versions.
      keep: complete versions that stay below the newest.
    """
    try:
        order, complete = _order(base), _complete(base)
        needed = order.named.union(order.wanted(complete))
        for number in superseded(_numbers(base), complete, keep, needed):
            marker = f"{base}/{STAGING}{_GONE}{number}"
            _write(marker, b"")
            _remove(f"{base}/{number}")
            fileio.remove(marker)
    except (OSError, tf.errors.OpError, ProdclsError) as error:
        logger.warning("Old versions in %s were left there: %s", base, error)


def _copy(source: Path, target: str, sha256: str) -> None:
    """Copies a file, and reads back what has arrived."""
    fileio.makedirs(posixpath.dirname(target))
    with source.open("rb") as reading, fileio.open(target, "wb") as writing:
        while piece := reading.read(_CHUNK):
            writing.write(piece)
    digest = hashlib.sha256()
    with fileio.open(target, "rb") as reading:
        while piece := reading.read(_CHUNK):
            digest.update(piece)
    if digest.hexdigest() != sha256:
        raise ModelError(
            f"A pushed file must be as the model's manifest says. Received {target}, copied from "
            f"{source}, which differs. Nothing was pushed. Export the model again."
        )


def _remove(version: str) -> None:
    """Removes a version, its graph first: no server takes the rest for a model."""
    with contextlib.suppress(fileio.NotFoundError):
        fileio.remove(f"{version}/{GRAPH}")
    with contextlib.suppress(fileio.NotFoundError):
        fileio.rmtree(version)


def _names(base: str) -> list[str]:
    # Some object stores mark folders by a slash.
    return [str(name).rstrip("/") for name in fileio.listdir(base)] if fileio.exists(base) else []


def _numbers(base: str) -> list[int]:
    return version_numbers(_names(base))


def _highest(base: str) -> int:
    file = f"{base}/{HIGHEST}"
    return highest_ever(_read(file)) if fileio.exists(file) else 0


def _complete(base: str) -> list[int]:
    return [n for n in _numbers(base) if fileio.exists(f"{base}/{n}/{MANIFEST}")]


def _order(base: str) -> Order:
    folder, name = posixpath.split(base)
    file = f"{folder}/{CONFIG_FILE}"
    return parse_order(_read(file).decode(), name, file) if fileio.exists(file) else Order()


def _read(path: str) -> bytes:
    with fileio.open(path, "rb") as stream:
        return bytes(stream.read())


def _write(path: str, content: bytes) -> None:
    fileio.makedirs(posixpath.dirname(path))
    with fileio.open(path, "wb") as stream:
        stream.write(content)


@contextlib.contextmanager
def _telling_why(base: str) -> Iterator[None]:
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise OutputError(
            f"A push needs an object store that can be written. Received {base}: {error}. What "
            "serves serves on. Check the address and the permissions, and run the same command "
            "again: finished steps are kept."
        ) from error
