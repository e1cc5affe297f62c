"""Which split each key went to: what one run leaves for the next, so that rows stay where they are.

A Parquet file, sorted by key, of 3 columns: the key, its split, and for how many runs it was not
seen. It is read and written side by side with the sweep over the rows, a range of keys at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np
import pydantic

from prodcls_tf.data.ledger import Array
from prodcls_tf.durable import sync_folder
from prodcls_tf.errors import DataError, OutputError
from prodcls_tf.features import SPLITS
from prodcls_tf.settings import DataSettings

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

# A key, as in `ledger.RECORD`; its split, as in `features.SPLITS`; runs without it since it was
# seen last.
PLACEMENT = np.dtype([("key", "u8"), ("split", "u1"), ("unseen", "u1")])
_NAMES = PLACEMENT.names or ()

# What has no split yet.
NOWHERE = len(SPLITS)

# Runs that a key is remembered for without being seen: products come back, but not for ever.
KEPT_RUNS = 20

_TERMS = b"prodcls"
_BATCH = 1 << 16
_TEST = SPLITS.index("test")


class Terms(pydantic.BaseModel):
    """What splits hold under: with other columns a row has another key, with other shares a split.

    Attributes:
      text: the text columns.
      group: the group column.
      near_duplicates: whether texts of the same words have the same key.
      clean: whether texts were cleaned before.
      val_share: share of the keys that go to val; 0 where val has files of its own.
      test_share: of those that go to test.
    """

    text: list[str]
    group: str
    near_duplicates: str
    clean: bool
    val_share: float
    test_share: float

    @classmethod
    def of(cls, settings: DataSettings, given: Collection[str]) -> Terms:
        """Returns the terms of settings, with these splits in files of their own."""
        shares = {
            f"{split}_share": 0.0 if split in given else getattr(settings, f"{split}_share")
            for split in ("val", "test")
        }
        same = {name: getattr(settings, name) for name in cls.model_fields if name not in shares}
        return cls(**same, **shares)

    def splits_that_stay(self, former: Terms) -> set[int]:
        """Says which splits of former placements hold under these terms.

        Another share of val is a matter between val and train; test rows stay test rows.
        """
        if former == self:
            return set(range(len(SPLITS)))
        return (
            {_TEST} if former == self.model_copy(update={"val_share": former.val_share}) else set()
        )


class Placements:
    """A file of placements, read once from its first key to its last.

    Args:
      path: of the file; None for none, which is to know no key.
      terms: that the placements are wanted under; others are passed over.
    """

    def __init__(self, path: Optional[Path], terms: Terms) -> None:
        self._batches = iter(()) if path is None else _read(path, terms)
        self._ahead: Array = np.empty(0, PLACEMENT)

    def upto(self, last: int) -> Array:
        """Returns the placements behind those of the call before, up to a key, sorted."""
        found = [self._ahead]
        while not (len(found[-1]) and found[-1]["key"][-1] > last):
            batch = next(self._batches, None)
            if batch is None:
                break
            found.append(batch)
        ahead = np.concatenate(found)
        taken = int(np.searchsorted(ahead["key"], np.uint64(last), side="right"))
        self._ahead = ahead[taken:].copy()
        return ahead[:taken]

    def splits(self, keys: Array) -> Array:
        """Returns the split of each key, NOWHERE for one that is not known.

        Args:
          keys: sorted, each once, and behind those of the call before.
        """
        if not len(keys):
            return np.empty(0, np.uint8)
        known = self.upto(int(keys[-1]))
        place = np.searchsorted(known["key"], keys)
        there = place < len(known)
        there[there] = known["key"][place[there]] == keys[there]
        splits = np.full(len(keys), NOWHERE, np.uint8)
        splits[there] = known["split"][place[there]]
        return splits


@contextmanager
def writing(path: Path, terms: Terms) -> Iterator[Callable[[Array], None]]:
    """Opens a new file of placements.

    Args:
      path: of the file; overwritten.
      terms: that they hold under.

    Yields:
      What adds placements behind those added before.
    """
    import pyarrow as pa
    import pyarrow.parquet

    kinds = {name: pa.from_numpy_dtype(PLACEMENT[name]) for name in _NAMES}
    schema = pa.schema(kinds.items(), metadata={_TERMS: terms.model_dump_json().encode()})
    # Keys are as good as random: a dictionary would only add to them.
    with pa.parquet.ParquetWriter(path, schema, use_dictionary=["split", "unseen"]) as stream:

        def add(placements: Array) -> None:
            columns = [np.ascontiguousarray(placements[name]) for name in _NAMES]
            stream.write_table(pa.table(columns, schema=schema))

        yield add


def check(path: Path) -> None:
    """Refuses a file that cannot be read: told before any work.

    Raises:
      DataError: it is damaged.
    """
    with _opened(path):
        pass


def remember(new: Path, memory: Path) -> None:
    """Takes the placements of a run into those that later runs keep to.

    A key that is in both stays where it is held out most, so that no order of runs, killed and
    cached ones among them, takes one from test to train.

    Args:
      new: the run's own, as the sweep has written them.
      memory: of the runs before, replaced in one stroke; may be missing.

    Raises:
      DataError: one of them is damaged.
      OutputError: the memory cannot be written.
    """
    with _opened(new) as (_, terms):
        pass
    draft = memory.with_name(f".{memory.name}")
    try:
        former = Placements(memory if memory.exists() else None, terms)
        with writing(draft, terms) as add:
            for batch in _read(new, terms):
                add(_both(former.upto(int(batch["key"][-1])), batch))
            add(_both(former.upto(2**64 - 1), np.empty(0, PLACEMENT)))
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        draft.replace(memory)
        sync_folder(memory.parent)
    except OSError as error:
        raise OutputError(
            f"The splits of rows must be kept where later runs find them. Received {memory}: "
            f"{error.strerror or error}. Check permissions and free space."
        ) from None


def _both(former: Array, seen: Array) -> Array:
    """Former placements of a range of keys, and those that were seen in it, as one."""
    place = np.searchsorted(seen["key"], former["key"])
    again = place < len(seen)
    again[again] = seen["key"][place[again]] == former["key"][again]
    seen = seen.copy()
    seen["split"][place[again]] = np.maximum(seen["split"][place[again]], former["split"][again])
    unseen = former[~again].copy()
    unseen["unseen"] += 1
    both = np.concatenate([seen, unseen[unseen["unseen"] <= KEPT_RUNS]])
    return both[np.argsort(both["key"])]


def _read(path: Path, terms: Terms) -> Iterator[Array]:
    """Yields the placements of a file that hold under the terms; none of the batches is empty."""
    with _opened(path) as (file, former):
        staying = list(terms.splits_that_stay(former))
        for batch in file.iter_batches(_BATCH, columns=list(_NAMES)):
            placements = np.empty(len(batch), PLACEMENT)
            for name, column in zip(_NAMES, batch.columns, strict=True):
                placements[name] = column
            placements = placements[np.isin(placements["split"], staying)]
            if len(placements):
                yield placements


@contextmanager
def _opened(path: Path) -> Iterator[tuple[ParquetFile, Terms]]:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pa.parquet.ParquetFile(path) as file:
            yield file, Terms.model_validate_json(file.schema_arrow.metadata[_TERMS])
    except (pa.ArrowException, pydantic.ValidationError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"The splits that rows went to must be readable. Received {path}: {error}. Bring the "
            "file back. Or remove it: then rows are split afresh, and a few of those that were "
            "tested on are trained on."
        ) from None
