"""Gives every row that is kept the split of its key: two sweeps over the keys, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from prodcls_tf.data.decisions import Verdict
from prodcls_tf.data.ledger import Array, Run, append_run, ranges
from prodcls_tf.data.placements import PLACEMENT, Placements, Terms, writing
from prodcls_tf.data.shares import Shares


class Memory(NamedTuple):
    """Where `placements` are.

    Attributes:
      folder: what is remembered of earlier runs; may be missing.
      own: the file that gets those of this run.
    """

    folder: Path
    own: Path


def sorted_by_key(runs: Iterable[Run], verdict: Array, path: Path) -> list[Run]:
    """Writes the rows that are kept once more, as runs sorted by the place of their key.

    Args:
      runs: the ledger.
      verdict: a `Verdict` for each row.
      path: gets the records.
    """
    path.write_bytes(b"")
    by_key: list[Run] = []
    end = 0
    for run in runs:
        records = run.read(run.start, run.stop - run.start)
        records = records[verdict[records["row"]] <= Verdict.TEST]
        append_run(path, records, "position")
        by_key.append(Run(path, end, end := end + len(records)))
    return by_key


def count_keys(
    by_key: Sequence[Run], shares: Shares, terms: Terms, memory: Optional[Memory]
) -> None:
    """Tells `shares` of all keys that are to be placed."""
    former = _former(terms, memory)
    for records in ranges(by_key, "position"):
        keys = _keys(_sorted(records))
        shares.count(keys.category, former.splits(keys.key))


def place_keys(
    by_key: Sequence[Run],
    shares: Shares,
    terms: Terms,
    memory: Optional[Memory],
    lacking: Array,
) -> Iterator[tuple[Array, Array, Array]]:
    """Places all keys, and leaves word of it.

    Args:
      by_key: rows that are kept, from `sorted_by_key`.
      shares: has been told of all keys.
      terms: that the splits hold under.
      memory: where former splits are, and where these are left; None for no memory.
      lacking: which categories had no row in train. Now it gets all keys of theirs but those that
        an earlier run has tested on.

    Yields:
      Records sorted by key, all that have one together; the split of each, which is that of its
      file where it was given for val or test; and whether train got it for the sake of `lacking`.
    """
    former = _former(terms, memory)
    shares.begin()
    with _leaving(terms, memory) as leave:
        for records in map(_sorted, ranges(by_key, "position")):
            keys = _keys(records)
            known = former.splits(keys.key)
            split = shares.place(keys.category, known)
            fate, moved = records["source"].copy(), np.zeros(len(records), bool)
            free = fate == Verdict.TRAIN
            place = np.searchsorted(keys.key, records["position"][free])
            needed = np.zeros(len(split), bool)
            needed[place[lacking[records["category"][free]]]] = True
            needed &= (known != Verdict.TEST) & (split != Verdict.TRAIN)
            split[needed] = Verdict.TRAIN
            leave(keys.key, split)
            fate[free], moved[free] = split[place], needed[place]
            yield records, fate, moved


class _Keys(NamedTuple):
    """The keys of rows whose split is not given.

    Attributes:
      key: each once, sorted.
      category: that of the first row with the key, in the order of the rows.
    """

    key: Array
    category: Array


def _sorted(records: Array) -> Array:
    return records[np.lexsort((records["row"], records["position"]))]


def _former(terms: Terms, memory: Optional[Memory]) -> Placements:
    return Placements(terms.file_in(memory.folder) if memory else None, terms)


def _keys(records: Array) -> _Keys:
    free = records[records["source"] == Verdict.TRAIN]
    key, first = np.unique(free["position"], return_index=True)
    return _Keys(key, free["category"][first])


@contextmanager
def _leaving(terms: Terms, memory: Optional[Memory]) -> Iterator[Callable[[Array, Array], object]]:
    if memory is None:
        yield lambda key, split: None
        return
    with writing(memory.own, terms) as add:

        def leave(key: Array, split: Array) -> None:
            placements = np.zeros(len(key), PLACEMENT)
            placements["key"], placements["split"] = key, split
            add(placements)

        yield leave
