"""What chooses the values of the next trial: KerasTuner's oracles, which outlive kills."""

from __future__ import annotations

import json
from pathlib import Path

import keras_tuner
import numpy as np
from keras_tuner.engine.oracle import Oracle
from keras_tuner.engine.trial import Trial

from prodcls_tf.errors import SettingsError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.dimensions import hyperparameters, most_epochs

# Of the trials, those whose values are drawn by lot, before a model of the results guides them.
_DRAWN = 1 / 3
_FACTOR = 3


class _Kept(Oracle):
    """An oracle whose state on disk is whole and true at any moment."""

    trials: dict[str, Trial]

    def save(self) -> None:
        """Writes the state in one stroke."""
        path = Path(self._get_oracle_fname())
        part = path.with_suffix(".part")
        part.write_text(json.dumps(self.get_state()), encoding="utf-8")
        part.replace(path)

    def end_trial(self, trial: Trial) -> None:
        """Ends a trial; KerasTuner saves before it has taken it off those that go on."""
        super().end_trial(trial)
        self.save()

    def reload(self) -> None:
        """Reads the state."""
        super().reload()
        # In their order, which calculations depend on. A trial is written before the state that
        # knows of it: a kill between leaves it out.
        self.trials = {number: self.trials[number] for number in self.start_order}


class _Random(_Kept, keras_tuner.oracles.RandomSearchOracle):
    pass


class _Hyperband(_Kept, keras_tuner.oracles.HyperbandOracle):
    pass


class _Bayesian(_Kept, keras_tuner.oracles.BayesianOptimizationOracle):
    def populate_space(self, trial_id: str) -> dict[str, object]:
        """Chooses values; what is random in it goes by the trial, since no state keeps it."""
        self._random_state = np.random.RandomState(self.seed + len(self.trials))
        return super().populate_space(trial_id)


def make_oracle(settings: Settings, width: int) -> Oracle:
    """Makes what chooses the values.

    Args:
      settings: with the search's own in `tuning`.
      width: of the encoder's states.

    Returns:
      The oracle; the same settings give the same one.

    Raises:
      SettingsError: nothing is left to be tried, or trainings are too short for Hyperband.

    Example:
      >>> make_oracle(Settings.load(overrides=["tuning.trials=9"]), width=384).max_trials
      9
    """
    tuning = settings.tuning
    common = {
        "objective": keras_tuner.Objective(tuning.objective, "max"),
        "hyperparameters": hyperparameters(settings, width),
        "allow_new_entries": False,
        # It takes 0 for none.
        "seed": tuning.seed + 1,
        # Counted by the tuner, which can say why.
        "max_consecutive_failed_trials": 10**9,
    }
    oracle: Oracle
    if tuning.algorithm == "random":
        oracle = _Random(**common)
    elif tuning.algorithm == "bayesian":
        drawn = max(3, round(_DRAWN * tuning.trials))
        oracle = _Bayesian(**common, num_initial_points=drawn)
    else:
        # Trials and time are its bound, not a number of rounds.
        oracle = _Hyperband(
            **common, max_epochs=_rungs(settings), factor=_FACTOR, hyperband_iterations=None
        )
    oracle.max_trials = tuning.trials
    oracle.verbose = 0
    return oracle


def _rungs(settings: Settings) -> int:
    epochs = most_epochs(settings)
    if epochs < _FACTOR:
        raise SettingsError(
            f"Hyperband gives its best trials {_FACTOR} times the epochs of the others. Received "
            f"a tuning.space.training.epochs of {epochs} at most. Allow {_FACTOR} or more, or "
            "choose another tuning.algorithm."
        )
    return epochs
