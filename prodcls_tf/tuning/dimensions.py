"""The space of a search as KerasTuner's hyperparameters, and a trial's values as settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

import keras_tuner
import numpy as np

from prodcls_tf.errors import SettingsError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.space import Range

# KerasTuner keeps what it needs to know of a trial among the values, under names of its own.
_OWN = "tuner/"
_EPOCHS_OF_RUNG = "tuner/epochs"
_EPOCHS = "training.epochs"
# What `auto` epochs come to at most, for a method that has to know.
_MOST_EPOCHS = 6


def hyperparameters(settings: Settings, width: int) -> keras_tuner.HyperParameters:
    """Declares what a search tries.

    Args:
      settings: with the space.
      width: of the encoder's states; smaller encoders want higher rates.

    Returns:
      The hyperparameters, named as the settings are.

    Raises:
      SettingsError: nothing is left to be tried.

    Example:
      >>> hyperparameters(Settings(), width=768).get("training.batch_size")
      16
    """
    space = keras_tuner.HyperParameters()
    for name, tried in settings.tuning.space.dimensions():
        if settings.tuning.algorithm == "hyperband" and name == _EPOCHS:
            continue  # its rungs say how long a trial is
        _declare(space, name, rate_range(width) if tried == "auto" else tried)
    if all(_fixed(dimension) for dimension in space.space):
        raise SettingsError(
            "A search needs a setting with more than one value. Received a tuning.space in which "
            "all are fixed or left out. Give one a range, or a list of values."
        )
    return space


def rate_range(width: int) -> Range:
    """The learning rates that `auto` tries: 1e-5 to 5e-5 for a width of 768, more for less.

    BERT's authors took 2e-5 to 5e-5 (Devlin et al. 2019, appendix A.3).

    Example:
      >>> rate_range(768)
      Range(min=1e-05, max=5e-05, step=None, log=True)
    """
    smaller = 768 / width
    return Range(min=min(1e-5 * smaller**2, 1e-4), max=min(5e-5 * smaller**3, 1e-3), log=True)


def most_epochs(settings: Settings) -> int:
    """The longest training that a search tries, for a method of rungs.

    Example:
      >>> most_epochs(Settings())
      8
    """
    tried = dict(settings.tuning.space.dimensions()).get(_EPOCHS)
    if isinstance(tried, Range):
        return int(tried.max)
    if tried is not None:
        return int(max(tried))
    return _MOST_EPOCHS if settings.training.epochs == "auto" else settings.training.epochs


def setting_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Finds the settings among a trial's values.

    Args:
      values: as KerasTuner has them.

    Returns:
      Values by the settings' names.

    Example:
      >>> setting_values({"training.batch_size": 16, "tuner/epochs": 2, "tuner/round": 0})
      {'training.batch_size': 16, 'training.epochs': 2}
    """
    found = {name: _plain(value) for name, value in values.items() if not name.startswith(_OWN)}
    if _EPOCHS_OF_RUNG in values:
        found[_EPOCHS] = values[_EPOCHS_OF_RUNG]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.isdigit():
        return int(value)
    # An oracle that calculates leaves NumPy's numbers.
    return value.item() if isinstance(value, np.generic) else value


def _declare(
    space: keras_tuner.HyperParameters, name: str, tried: Union[Range, Sequence[Any]]
) -> None:
    if not isinstance(tried, Range):
        # KerasTuner wants values of one kind: `2` beside `half` becomes a word, see below.
        words = any(isinstance(value, str) for value in tried)
        broken = any(isinstance(value, float) for value in tried)
        kind = str if words else float if broken else int
        space.Choice(name, [kind(value) for value in tried])
    elif tried.whole:
        step = None if tried.log else int(tried.step or 1)
        space.Int(name, int(tried.min), int(tried.max), step=step, sampling=_sampling(tried))
    else:
        low, high = float(tried.min), float(tried.max)
        space.Float(name, low, high, step=tried.step, sampling=_sampling(tried))


def _sampling(tried: Range) -> str:
    return "log" if tried.log else "linear"


def _fixed(dimension: Any) -> bool:
    return len(getattr(dimension, "values", (0, 1))) == 1
