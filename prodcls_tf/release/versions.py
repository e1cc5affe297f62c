"""The versions in a model's folder: their numbers, the next one, and those that may go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from prodcls_tf.errors import ModelError
from prodcls_tf.manifest import MANIFEST, Manifest

GRAPH = "saved_model.pb"
WEIGHTS = "variables/variables.index"

# Beside the versions: the highest number that one of them ever had.
HIGHEST = ".highest"

# The messages of TensorFlow Serving's protocol hold versions as int64.
_LARGEST = 2**63 - 1


def version_numbers(names: Iterable[str]) -> list[int]:
    """Reads version numbers from what lies in a model's folder.

    Args:
      names: of all entries; those that are no whole numbers are staging folders and the like.

    Returns:
      The numbers, rising.

    Example:
      >>> version_numbers(["10", "9", ".tmp-push-11", "notes"])
      [9, 10]
    """
    numbers = {int(name) for name in names if name.isascii() and name.isdigit()}
    return sorted(number for number in numbers if number < _LARGEST)


def next_number(taken: Sequence[int], now: float) -> int:
    """Numbers the next version: by the clock, and above all others whatever the clock says.

    Args:
      taken: all numbers in the model's folder, and the highest that there ever was.
      now: seconds since the epoch.

    Returns:
      The number.

    Example:
      >>> next_number([1700000000], now=1600000000.5)
      1700000001
    """
    return max([int(now), *(number + 1 for number in taken)])


def highest_ever(content: bytes) -> int:
    """Reads the content of `HIGHEST`; 0 for one that a power cut left in pieces.

    Example:
      >>> highest_ever(b"1700000000"), highest_ever(b"")
      (1700000000, 0)
    """
    return max(version_numbers([content.decode("ascii", "replace")]), default=0)


def superseded(
    numbers: Sequence[int], complete: Collection[int], keep: int, needed: Collection[int]
) -> list[int]:
    """Chooses the versions that may go.

    Args:
      numbers: of all versions.
      complete: those among them that could be served.
      keep: so many complete ones are kept below the newest.
      needed: versions that stay in any case.

    Returns:
      Those that are older than all that are kept, oldest first.

    Example:
      >>> superseded([1, 2, 3, 4], complete=[1, 2, 3, 4], keep=1, needed=[1])
      [2]
    """
    kept = sorted(complete, reverse=True)[: keep + 1]
    if len(kept) <= keep:
        return []
    return [number for number in numbers if number < kept[-1] and number not in needed]


def missing_files(version: Path) -> list[str]:
    """Says what a version's folder lacks, without reading the files.

    Args:
      version: its folder.

    Returns:
      The files that are missing or of another size than its manifest says; none of a complete
      version. Without a manifest, the graph and the index of the weights must be there.

    Example:
      >>> missing_files(Path("serving/prodcls/1795489515"))  # doctest: +SKIP
      []
    """
    try:
        manifest = Manifest.read(version)
    except ModelError:
        return [MANIFEST]
    if manifest is not None:
        return manifest.incomplete(version)
    return [name for name in (GRAPH, WEIGHTS) if not (version / name).is_file()]


def complete_versions(base: Path) -> list[int]:
    """Returns the numbers of the versions that could be served, rising; none without a folder."""
    if not base.is_dir():
        return []
    numbers = version_numbers(entry.name for entry in base.iterdir() if entry.is_dir())
    folders = ((number, base / str(number)) for number in numbers)
    return [n for n, folder in folders if folder.is_dir() and not missing_files(folder)]
