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
    """Files of `placements`.

    Attributes:
      former: what earlier runs have left; None if there is nothing.
      own: gets what this one leaves; None to leave nothing.
    """

    former: Optional[Path] = None
    own: Optional[Path] = None


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


def count_keys(by_key: Sequence[Run], shares: Shares, terms: Terms, memory: Memory) -> None:
    """Tells `shares` of all keys that are to be placed."""
    former = Placements(memory.former, terms)
    for records in ranges(by_key, "position"):
        keys = _keys(_sorted(records))
        shares.count(keys.category, former.splits(keys.key))


def place_keys(
    by_key: Sequence[Run], shares: Shares, terms: Terms, memory: Memory
) -> Iterator[tuple[Array, Array]]:
    """Places all keys, and leaves word of it.

    Args:
      by_key: rows that are kept, from `sorted_by_key`.
      shares: has been told of all keys.
      terms: that the splits hold under.
      memory: where former splits are, and where these are left.

    Yields:
      Records sorted by key, all that have one together, and the split of each, which is that of its
      file where it was given for val or test.
    """
    former = Placements(memory.former, terms)
    with _leaving(memory.own, terms) as leave:
        for records in map(_sorted, ranges(by_key, "position")):
            keys = _keys(records)
            split = shares.place(keys.category, former.splits(keys.key))
            leave(keys.key, split)
            fate = records["source"].copy()
            free = fate == Verdict.TRAIN
            fate[free] = split[np.searchsorted(keys.key, records["position"][free])]
            yield records, fate


class _Keys(NamedTuple):
    """The keys of rows whose split is not given.

    Attributes:
      key: each once, sorted.
      category: that of the first row with the key, in the order of the rows.
    """

    key: Array
    category: Array


def _sorted(records: Array) -> Array:
    return records[np.argsort(records["position"], kind="stable")]


def _keys(records: Array) -> _Keys:
    free = records[records["source"] == Verdict.TRAIN]
    key, first = np.unique(free["position"], return_index=True)
    return _Keys(key, free["category"][first])


@contextmanager
def _leaving(path: Optional[Path], terms: Terms) -> Iterator[Callable[[Array, Array], None]]:
    if path is None:
        yield lambda key, split: None
        return
    with writing(path, terms) as add:

        def leave(key: Array, split: Array) -> None:
            placements = np.zeros(len(key), PLACEMENT)
            placements["key"], placements["split"] = key, split
            add(placements)

        yield leave
