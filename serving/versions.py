"""Finds the SavedModel version that a folder stands for."""

from __future__ import annotations

from pathlib import Path

from prodcls_tf.errors import ModelError
from serving.served import CONFIG_FILE, ordered

GRAPH = "saved_model.pb"
_WEIGHTS = Path("variables/variables.index")


def find_version(folder: Path | str) -> Path:
    """Finds the folder with the SavedModel itself.

    Args:
      folder: a version's folder (`.../prodcls/3`), a model's base folder with whole-number
        versions in it (`.../prodcls`), the folder of all models (`.../serving`), or the output
        folder of a run. Of several versions the one that serves is meant: the newest, unless
        `models.config` says otherwise.

    Returns:
      The version's folder: it holds `saved_model.pb` and the variables.

    Raises:
      ModelError: there is no model, no version, a version is incomplete, or there is more than
        one model to choose from.

    Example:
      >>> find_version("runs/demo")  # doctest: +SKIP
      PosixPath('runs/demo/serving/prodcls/1')
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(
            f"A model must be a folder. Received {folder}, which is "
            f"{'a file' if folder.exists() else 'not there'}. Name the output folder of a run, "
            "such as runs/demo, or a SavedModel's folder."
        )
    if (folder / GRAPH).exists():
        return _complete(folder)
    base = _base(folder)
    versions = version_numbers(base)
    if not versions:
        raise ModelError(
            "A model folder must hold saved_model.pb, or versions in folders named by whole "
            f"numbers. Received {folder}, which has neither. If a run made it, its summary.json "
            "says whether a model was pushed."
        )
    return _complete(base / str(_serving(base, versions)))


def version_numbers(base: Path) -> list[int]:
    """Returns the versions in a model's base folder, oldest first; other names are skipped."""
    return sorted(
        int(entry.name)
        for entry in base.iterdir()
        if entry.is_dir()
        and entry.name.isascii()
        and entry.name.isdigit()
        # `007` is version 7 to TensorFlow Serving too, but str(7) would not find it again.
        and entry.name == str(int(entry.name))
    )


def _base(folder: Path) -> Path:
    """Steps from a run's output folder down to its one model."""
    models = folder / "serving" if (folder / "serving").is_dir() else folder
    if version_numbers(models):
        return models
    bases = [entry for entry in sorted(models.iterdir()) if entry.is_dir()]
    bases = [entry for entry in bases if version_numbers(entry)]
    if len(bases) > 1:
        raise ModelError(
            f"One model must be meant. Received {folder}, which holds "
            f"{', '.join(entry.name for entry in bases)}. Name one: {bases[0]}"
        )
    return bases[0] if bases else models


def _serving(base: Path, versions: list[int]) -> int:
    order = ordered(base)
    if order is None:
        return versions[-1]
    wanted = order.policy.wanted(versions)
    if not wanted:
        raise ModelError(
            f"A version that is to serve must be there. Received {base} without version "
            f"{', '.join(map(str, sorted(order.policy.versions)))}, which {CONFIG_FILE} beside it "
            "asks for. Choose another one: prodcls models promote NUMBER"
        )
    return wanted[0]


def _complete(version: Path) -> Path:
    missing = [str(name) for name in (GRAPH, _WEIGHTS) if not (version / name).is_file()]
    if missing:
        raise ModelError(
            f"A SavedModel must be complete. Received {version}, which lacks "
            f"{' and '.join(missing)}: it was not written to its end. Remove that folder, or "
            "name an older version."
        )
    return version
