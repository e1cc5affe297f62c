"""Which split each key went to: what one run leaves for the next, so that rows stay where they are.

A packed file of a line that says what the splits hold under, and of `PLACEMENT` records sorted by
key. It is read and written as a stream beside the sweep over the rows; what packs it keeps a
checksum. A folder has a file for each way in which keys were made and shares were asked for.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pydantic

from prodcls_tf.data.ledger import Array
from prodcls_tf.durable import sync_folder
from prodcls_tf.errors import DataError, OutputError
from prodcls_tf.features import SPLITS
from prodcls_tf.settings import DataSettings

# A key, as in `ledger.RECORD`; its split, as in `features.SPLITS`; how many runs that split rows
# anew have not seen it.
PLACEMENT = np.dtype([("key", "<u8"), ("split", "u1"), ("unseen", "u1")])

# What has no split yet.
NOWHERE = len(SPLITS)

# Runs that a key is remembered for without being seen: products come back, but not for ever.
KEPT_RUNS = 20

# Files that are kept for other settings, those that were used last: who tries some may return.
_OTHERS = 4

# Keys are as good as random, so that no effort makes them smaller.
_EFFORT = 1

_BATCH = 1 << 16
_TEST = SPLITS.index("test")
_NONE: Array = np.empty(0, PLACEMENT)


class Terms(pydantic.BaseModel):
    """What splits hold under: with other columns a row has another key, with other shares a split.

    Attributes:
      text: the text columns.
      group: the group column.
      near: whether near duplicates have the same key.
      clean: whether texts were cleaned before.
      test_share: share of the keys that go to test; 0 where it has files of its own.
      val_share: of those that go to val.
    """

    text: list[str]
    group: str
    near: bool
    clean: bool
    test_share: float
    val_share: float

    @classmethod
    def of(cls, settings: DataSettings, given: Collection[str]) -> Terms:
        """Returns the terms of settings, with these splits in files of their own."""
        return cls(
            text=settings.text,
            group=settings.group,
            near=settings.near_duplicates != "off",
            clean=settings.clean,
            test_share=0.0 if "test" in given else settings.test_share,
            val_share=0.0 if "val" in given else settings.val_share,
        )

    def file_in(self, folder: Path) -> Path:
        """Returns the file of the placements that hold under these terms.

        Another share of val has none of its own: it is a matter between val and train.
        """
        name = hashlib.sha256(self.model_dump_json(exclude={"val_share"}).encode()).hexdigest()
        return folder / f"{name[:16]}.gz"


class _Head(pydantic.BaseModel):
    """The first line of a file.

    Attributes:
      terms: that the splits hold under.
      taken: digest of the placements that were taken into a memory last.
    """

    terms: Terms
    taken: str = ""


class Placements:
    """A file of placements, read once from its first key to its last.

    Args:
      path: of the file; None, or one that is missing, knows no key.
      terms: that the placements are wanted under; others are passed over.

    Example:
      >>> terms = Terms.of(DataSettings(), ())
      >>> Placements(Path("gone.gz"), terms).splits(np.array([4, 7], "u8")).tolist()
      [3, 3]
    """

    def __init__(self, path: Optional[Path], terms: Terms) -> None:
        self._batches = _batches(path, terms) if path and path.exists() else iter(())
        self._batch = _NONE

    def splits(self, keys: Array) -> Array:
        """Returns the split of each key, NOWHERE for one that is not known.

        Args:
          keys: sorted, each once, and behind those of the call before.
        """
        split = np.full(len(keys), NOWHERE, np.uint8)
        done = 0
        while done < len(keys):
            if not len(self._batch) or self._batch["key"][-1] < keys[done]:
                self._batch = next(self._batches, _NONE)
                if not len(self._batch):
                    break
            known = self._batch
            stop = int(np.searchsorted(keys, known["key"][-1], side="right"))
            place = np.searchsorted(known["key"], keys[done:stop])
            there = known["key"][place] == keys[done:stop]
            split[done:stop][there] = known["split"][place[there]]
            done = stop
        return split


@contextmanager
def writing(path: Path, terms: Terms, taken: str = "") -> Iterator[Callable[[Array], Any]]:
    """Opens a new file of placements.

    Args:
      path: of the file; overwritten.
      terms: that they hold under.
      taken: see `_Head`.

    Yields:
      What adds placements behind those added before.
    """
    # No time and no name inside: the same placements are the same bytes.
    with path.open("wb") as file:
        with gzip.GzipFile("", "wb", _EFFORT, file, mtime=0) as packed:
            packed.write(_Head(terms=terms, taken=taken).model_dump_json().encode() + b"\n")
            yield lambda placements: packed.write(placements.tobytes())
        file.flush()
        os.fsync(file.fileno())


def check(folder: Path) -> None:
    """Refuses placements that are damaged: told before any work.

    Args:
      folder: of the files; may be missing.

    Raises:
      DataError: names the file.
    """
    for path in folder.glob("*.gz"):
        with _opened(path) as (_, packed):
            while packed.read(1 << 20):
                pass


def agree(own: Path, folder: Path) -> bool:
    """Says whether a run's placements have those keys in the test that are remembered to be there.

    A result that was kept from an earlier run may know less than is remembered since.

    Args:
      own: the run's placements.
      folder: of those that are remembered.

    Raises:
      DataError: a file is damaged.
    """
    terms = _head(own).terms
    memory = Placements(terms.file_in(folder), terms)
    for batch in _batches(own, terms):
        known = memory.splits(batch["key"])
        if ((known != NOWHERE) & ((known == _TEST) != (batch["split"] == _TEST))).any():
            return False
    return True


def remember(own: Path, folder: Path) -> None:
    """Takes the placements of a run into those that later runs keep to; once, however often asked.

    A key that is in both stays where it is held out most, so that no order of runs, killed and
    cached ones among them, takes one from test to train.

    Args:
      own: the run's placements.
      folder: of those that are remembered; made if missing.

    Raises:
      DataError: a file is damaged.
      OutputError: the folder cannot be written.
    """
    terms, digest = _head(own).terms, _digest(own)
    memory = terms.file_in(folder)
    draft = memory.with_name(f".{memory.name}-{os.getpid()}")
    try:
        if memory.exists() and _head(memory).taken == digest:
            memory.touch()
            return
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f".{memory.name}-*"):
            left.unlink()
        former = _batches(memory, terms) if memory.exists() else iter(())
        with writing(draft, terms, taken=digest) as add:
            for batch in _merged(former, _batches(own, terms)):
                add(batch)
        draft.replace(memory)
        sync_folder(folder)
        others = [path for path in folder.glob("[!.]*.gz") if path != memory]
        for old in sorted(others, key=lambda path: path.stat().st_mtime)[:-_OTHERS]:
            old.unlink()
    except OSError as error:
        raise OutputError(
            f"The splits of rows must be kept where later runs find them. Received {folder}: "
            f"{error.strerror or error}. Check permissions and free space, and run the same "
            "command again."
        ) from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def _merged(former: Iterator[Array], seen: Iterator[Array]) -> Iterator[Array]:
    """Two streams of placements as one, batch by batch."""
    old, new = next(former, _NONE), next(seen, _NONE)
    while len(old) or len(new):
        last = min(batch["key"][-1] for batch in (old, new) if len(batch))
        until = [int(np.searchsorted(batch["key"], last, side="right")) for batch in (old, new)]
        yield _both(old[: until[0]], new[: until[1]])
        old = old[until[0] :] if until[0] < len(old) else next(former, _NONE)
        new = new[until[1] :] if until[1] < len(new) else next(seen, _NONE)


def _both(former: Array, seen: Array) -> Array:
    """Former placements of a range of keys, and those that were seen in it, as one."""
    again = np.isin(former["key"], seen["key"], assume_unique=True)
    seen = seen.copy()
    place = np.searchsorted(seen["key"], former["key"][again])
    seen["split"][place] = np.maximum(seen["split"][place], former["split"][again])
    unseen = former[~again]
    unseen["unseen"] += 1
    both = np.concatenate([seen, unseen[unseen["unseen"] <= KEPT_RUNS]])
    return both[np.argsort(both["key"])]


def _batches(path: Path, terms: Terms) -> Iterator[Array]:
    """Yields the placements of a file that hold under the terms; none of the batches is empty."""
    with _opened(path) as (head, packed):
        test_alone = head.terms.val_share != terms.val_share
        while content := packed.read(_BATCH * PLACEMENT.itemsize):
            placements = np.frombuffer(content, PLACEMENT)
            if test_alone:
                placements = placements[placements["split"] == _TEST]
            if len(placements):
                yield placements


def _head(path: Path) -> _Head:
    with _opened(path) as (head, _):
        return head


@contextmanager
def _opened(path: Path) -> Iterator[tuple[_Head, gzip.GzipFile]]:
    try:
        with gzip.open(path, "rb") as packed:
            yield _Head.model_validate_json(packed.readline()), packed
    except (OSError, EOFError, zlib.error, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise DataError(
            f"The splits that rows went to must be readable. Received {path}: {why}. Bring the "
            "file back. Or remove it: then the rows of changed files are split afresh, and a few "
            "that were tested on are trained on."
        ) from None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
