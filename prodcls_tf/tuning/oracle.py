"""What chooses the values of the next trial: KerasTuner's oracles."""

from __future__ import annotations

import keras_tuner
from keras_tuner.engine.oracle import Oracle

from prodcls_tf.settings import Settings
from prodcls_tf.tuning.dimensions import hyperparameters, most_epochs

# Of the trials, those whose values are drawn by lot, before a model of the results guides them.
_DRAWN = 1 / 3
_FACTOR = 3


def make_oracle(settings: Settings, width: int) -> Oracle:
    """Makes what chooses the values.

    Args:
      settings: with the search's own in `tuning`.
      width: of the encoder's states.

    Returns:
      The oracle; the same settings give the same one.

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
    if tuning.algorithm == "random":
        oracle: Oracle = keras_tuner.oracles.RandomSearchOracle(**common)
    elif tuning.algorithm == "bayesian":
        drawn = max(3, round(_DRAWN * tuning.trials))
        oracle = keras_tuner.oracles.BayesianOptimizationOracle(**common, num_initial_points=drawn)
    else:
        epochs = max(most_epochs(settings), _FACTOR)
        oracle = keras_tuner.oracles.HyperbandOracle(**common, max_epochs=epochs, factor=_FACTOR)
    oracle.max_trials = tuning.trials
    oracle.verbose = 0
    return oracle
