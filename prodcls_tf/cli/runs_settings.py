"""The settings of trained models: in which they differ from each other or from the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.training import Training

_DIGITS = 8


def settings_of(training: Training) -> dict[str, str]:
    """Writes all that a model was made with, by name.

    Args:
      training: of the model.

    Returns:
      Settings as `--set` takes them, and beside them `files`, `code` and `weights`: the product
      files, the version of the code, and the encoder's weights, with their digests.
    """
    written = _flat(training.settings)
    origin = training.origin
    if origin.fingerprint:
        names = ", ".join(Path(file).name for file in origin.files[:3])
        more = ", ..." if len(origin.files) > 3 else ""
        written["files"] = f"{names}{more} ({origin.fingerprint[:_DIGITS]})"
    if origin.code:
        written["code"] = origin.code
    if origin.encoder:
        written["weights"] = origin.encoder[:_DIGITS]
    return written


def differing(trainings: Sequence[Training]) -> list[str]:
    """Returns the names of what models were made with that is not the same for all.

    A model of an older version may lack a setting; that counts as a difference, too.
    """
    made = [settings_of(training) for training in trainings]
    # Of a model whose settings are lost, nothing is known to differ.
    made = [settings for settings in made if settings]
    names = {name: None for settings in made for name in settings}
    return [name for name in names if len({settings.get(name) for settings in made}) > 1]


def unlike_defaults(training: Training) -> dict[str, str]:
    """Returns the settings of a model that are not at today's defaults, by name."""
    from prodcls_tf.settings import Settings

    defaults = _flat(Settings().model_dump(mode="json"))
    return {
        name: value
        for name, value in _flat(training.settings).items()
        if defaults.get(name) != value
    }


def _flat(settings: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{section}.{name}": _written(value)
        for section, values in settings.items()
        if isinstance(values, Mapping)
        for name, value in values.items()
    }


def _written(value: Any) -> str:
    """Writes a value as short as `--set` takes it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_written(entry) for entry in value)}]"
    # A separator is mostly blanks: quotes show where it ends.
    return repr(value) if isinstance(value, str) and value != value.strip() else str(value)
