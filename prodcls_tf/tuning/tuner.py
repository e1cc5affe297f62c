"""KerasTuner's loop over trials that are trainings by this library."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.oracle import Oracle
from keras_tuner.engine.trial import Trial
from keras_tuner.errors import FailedTrialError, FatalError

from prodcls_tf.errors import TrainingError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.dimensions import hyperparameters, most_epochs, setting_values
from prodcls_tf.tuning.trials import DEFAULTS, OutOfTimeError, Trials, Tried

# A search whose trials fail one after the other will not get better by itself.
_MOST_FAILURES = 3
# Of the trials, those whose values are drawn by lot, before a model of the results guides them.
_DRAWN = 1 / 3
_FACTOR = 3


class _OverError(FatalError):
    """Ends the search; the only kind of error that KerasTuner lets through."""


class ProductTuner(BaseTuner):
    """Tries settings until trials or time run out. Trains nothing itself: see `Trials`.

    KerasTuner 1.4 knows the models of Keras 3 alone; this overrides the one method that would
    build one.

    Args:
      settings: with the search's own in `tuning`.
      trials: runs a trial.
      folder: where KerasTuner keeps its state; a search that was killed goes on from there.
      width: of the encoder's states.

    Example:
      >>> tuner = ProductTuner(settings, trials, folder, width=384)  # doctest: +SKIP
      >>> tuner.search()  # doctest: +SKIP
      >>> tuner.best_values()  # doctest: +SKIP
      {'training.batch_size': 16, 'training.epochs': 6}
    """

    def __init__(self, settings: Settings, trials: Trials, folder: Path, width: int) -> None:
        self._tuning, self._trials = settings.tuning, trials
        self._seconds = settings.tuning.max_minutes * 60
        self._failures: list[str] = []
        oracle = make_oracle(settings, width)
        # It prints what it reloads.
        with contextlib.redirect_stdout(io.StringIO()):
            super().__init__(oracle, directory=str(folder.parent), project_name=folder.name)

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Runs the trials that are left.

        Raises:
          TrainingError: three trials in a row failed.
        """
        try:
            super().search(*fit_args, **fit_kwargs)
        except _OverError:
            self.save()

    def pre_create_trial(self) -> None:
        """Ends the search where its time is over."""
        if self._left() <= 0:
            raise _OverError

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> dict[str, float]:
        """Trains with a trial's values; returns the metrics of the validation rows."""
        values = setting_values(trial.hyperparameters.values)
        try:
            result = self._trials.run(trial.trial_id, values, self._left())
        except OutOfTimeError:
            raise _OverError from None
        if result.status == "failed":
            self._failures.append(result.reason)
            raise FailedTrialError(result.reason)
        self._failures.clear()
        return result.metrics

    def on_trial_end(self, trial: Trial) -> None:
        """Keeps what came of a trial, and gives up a search that cannot succeed."""
        super().on_trial_end(trial)
        if len(self._failures) >= _MOST_FAILURES:
            raise TrainingError(
                f"A search goes on while trials succeed. Received {len(self._failures)} that "
                f"failed in a row, the last for this reason: {self._failures[-1]} Narrow "
                "tuning.space, or mend the cause, and start it again: finished trials are kept."
            )

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """Returns the best trials' values; none for the first where the settings are best."""
        trials = [t for t in self.oracle.get_best_trials(num_trials) if t.score is not None]
        found = [trial.hyperparameters for trial in trials]
        if not self._gained(trials):
            found.insert(0, keras_tuner.HyperParameters())
        return found[:num_trials]

    def best_values(self) -> dict[str, Any]:
        """Returns the settings of the best trial, by name; none if the settings are best."""
        return setting_values(self.get_best_hyperparameters()[0].values)

    def tried(self) -> list[Tried]:
        """Returns the trials of this search, the settings as they are first."""
        numbers = [DEFAULTS, *self.oracle.start_order]
        results = self._trials.results()
        return [
            Tried(number, self._trials.values(number), results[number])
            for number in numbers
            if number in results
        ]

    def _gained(self, trials: Sequence[Trial]) -> bool:
        before = self._trials.defaults
        bar = before.metrics[self._tuning.objective] if before and before.metrics else float("-inf")
        return bool(trials) and trials[0].score > bar

    def _left(self) -> float:
        return self._seconds - self._trials.seconds


def make_oracle(settings: Settings, width: int) -> Oracle:
    """Makes what chooses the values.

    Args:
      settings: with the search's own in `tuning`.
      width: of the encoder's states.

    Returns:
      The oracle; the same settings give the same one.
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
