"""Moves what serves from one version to another: promote, roll back, follow the newest again.

A model serves the versions that bear a label, and no others, once one was promoted. Requests that
name neither version nor label get the highest of these: that is TensorFlow Serving's rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from prodcls_tf.errors import ModelError
from prodcls_tf.release.order import Order, read_order, write_order
from prodcls_tf.release.pushing import held
from prodcls_tf.release.versions import complete_versions, missing_files

# What serves, among the labels.
STABLE = "stable"


def promote(base: Path, version: int, label: str = STABLE) -> Order:
    """Has a version serve, from now on until another one is promoted or rolled back to.

    Args:
      base: folder of the versions.
      version: complete.
      label: that it shall bear; the versions of other labels serve on beside it.

    Returns:
      The order that was written to `models.config`.

    Raises:
      ModelError: there is no such version, or it is incomplete.
      ProdclsError: `models.config` cannot be read or written.

    Example:
      >>> promote(Path("runs/mine/serving/prodcls"), 1795489515).labels  # doctest: +SKIP
      {'stable': 1795489515}
    """
    with held(base):
        order, complete = read_order(base), complete_versions(base)
        _check(base, version, complete)
        return _write(base, {**_labels(order, complete), label: version})


def roll_back(base: Path, to: Optional[int] = None) -> Order:
    """Has an older version serve. Labels of newer ones move to it: nothing newer is served.

    Args:
      base: folder of the versions.
      to: a version that is older than the one that serves; None for the one before it.

    Returns:
      The order that was written to `models.config`.

    Raises:
      ModelError: there is no such version, it is incomplete, or it is not older.
      ProdclsError: `models.config` cannot be read or written.
    """
    with held(base):
        order, complete = read_order(base), complete_versions(base)
        labels = _labels(order, complete)
        present = labels.get(STABLE)
        older = [number for number in complete if present is not None and number < present]
        if to is None and not older:
            raise ModelError(
                "A rollback needs an older complete version than the one that serves. Received "
                f"{base}, where {present or 'none'} serves and the complete ones are "
                f"{_listed(complete)}. Train again, or raise push.keep for the next time."
            )
        target = older[-1] if to is None else to
        _check(base, target, complete)
        if target not in older:
            raise ModelError(
                f"A rollback goes to a version older than {present}, which serves. Received "
                f"{target}. To serve a newer one: prodcls models promote {target}"
            )
        moved = {label: min(number, target) for label, number in labels.items()}
        return _write(base, moved)


def follow_newest(base: Path) -> Order:
    """Has the newest version serve at any time, as before the first promotion; labels go.

    Args:
      base: folder of the versions.

    Returns:
      The order that was written to `models.config`.

    Raises:
      ProdclsError: `models.config` cannot be read or written.
    """
    with held(base):
        order = Order()
        write_order(base, order)
        return order


def _write(base: Path, labels: Mapping[str, int]) -> Order:
    order = Order(0, frozenset(labels.values()), labels)
    write_order(base, order)
    return order


def _labels(order: Order, complete: Sequence[int]) -> dict[str, int]:
    """The labels as they are; what serves without any is stable."""
    serving = order.wanted(complete)
    labels = {STABLE: serving[0]} if serving else {}
    return {**labels, **order.labels}


def _check(base: Path, version: int, complete: Sequence[int]) -> None:
    if version in complete:
        return
    folder = base / str(version)
    if not folder.is_dir():
        raise ModelError(
            f"A version must be one in {base}. Received {version}; there are: "
            f"{_listed(complete)}. `prodcls models list` tells more of them."
        )
    raise ModelError(
        f"A version must be complete to be served. Received {version}, which lacks "
        f"{', '.join(missing_files(folder))}. Push it again, or name one of: {_listed(complete)}"
    )


def _listed(versions: Sequence[int]) -> str:
    return ", ".join(map(str, reversed(versions))) or "none"
