"""KerasTuner's loop over trials that are trainings by this library."""

from __future__ import annotations

import contextlib
import shutil
import statistics
import time
from pathlib import Path
from typing import Any, Optional

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial
from keras_tuner.errors import FailedTrialError, FatalError

from prodcls_tf.errors import TrainingError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning import workers
from prodcls_tf.tuning.confirming import Contest
from prodcls_tf.tuning.dimensions import setting_values
from prodcls_tf.tuning.oracle import make_oracle
from prodcls_tf.tuning.processes import OutOfTimeError
from prodcls_tf.tuning.results import DEFAULTS, Search, Tried
from prodcls_tf.tuning.trials import Trials

# A search whose trials fail one after the other will not get better by itself.
_MOST_FAILURES = 3
# Of the best trials, those that are trained again with other seeds; and of the time, what is kept
# for that at most.
_CANDIDATES = 2
_KEPT = 1 / 3
# Seconds before another trial is asked for.
_PAUSE = 0.2


class _OverError(FatalError):
    """Ends the loop; the only kind of error that KerasTuner lets through."""


class ProductTuner(BaseTuner):
    """Tries settings until trials or time run out. Trains nothing itself: see `Trials`.

    KerasTuner 1.4 knows the models of Keras 3 alone; this overrides the one method that would
    build one.

    Args:
      settings: with the search's own in `tuning`.
      trials: runs a trial.
      folder: of the search; one that was killed goes on from what is in it.
      width: of the encoder's states.
      rows: validation rows that the trials are measured on.
      until: when the time of the search is over, by the clock of `time.time`; None where it
        begins with `search`.

    Example:
      >>> tuner = ProductTuner(settings, trials, folder, width=384, rows=90)  # doctest: +SKIP
      >>> tuner.search()  # doctest: +SKIP
      >>> tuner.found().best  # doctest: +SKIP
      {'training.batch_size': 16, 'training.epochs': 6}
    """

    def __init__(
        self,
        settings: Settings,
        trials: Trials,
        folder: Path,
        width: int,
        rows: int,
        until: Optional[float] = None,
    ) -> None:
        self._settings, self._trials = settings, trials
        self._folder, self._width, self._rows, self._until = folder, width, rows, until
        self._tuning = settings.tuning
        self._failures: list[str] = []
        self._broken: Optional[Exception] = None
        self._open()

    def _open(self) -> None:
        project = self._folder / "oracle"
        oracle = make_oracle(self._settings, self._width)
        super().__init__(oracle, directory=str(project.parent), project_name=project.name)
        # A worker has another oracle by now, one that asks the chief's.
        if self.oracle is not oracle or not (project / "oracle.json").exists():
            return
        try:
            oracle.reload()
        except (ValueError, KeyError, RuntimeError):
            # It was damaged. The same seed asks for the same trials again, and those that are
            # finished are not run again.
            shutil.rmtree(project)
            self._open()

    def save(self) -> None:
        """Saves nothing: all there is to be saved is the oracle's, which saves itself."""

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Runs what is left of the whole search: the settings as they are, trials, other seeds.

        Raises:
          SettingsError: the chief cannot listen at its address.
          TrainingError: the settings as they are cannot be trained, or three trials in a row
            failed.
        """
        whole = self._tuning.max_minutes * 60
        self._until = time.time() + whole - self._trials.seconds
        workers.check_address(self._tuning)
        self._try_defaults(whole)
        if workers.alone(self._tuning):
            self.take_part(*fit_args, **fit_kwargs)
        elif not self._over():
            workers.run(self._folder, self._orders())
            self.oracle.reload()
        self._confirm()

    def take_part(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Runs trials until none is left, or their time is over; as a chief, hands them out.

        Raises:
          TrainingError: three trials in a row failed.
        """
        with contextlib.suppress(_OverError):
            super().search(*fit_args, **fit_kwargs)
        if self._broken is not None:
            raise self._broken

    def pre_create_trial(self) -> None:
        """Ends the loop where its time is over."""
        if self._over():
            raise _OverError
        # Asked again at once, an oracle that waits for another worker's trial would take a core.
        time.sleep(_PAUSE)

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> dict[str, float]:
        """Trains with a trial's values; returns the metrics of the validation rows."""
        values = setting_values(trial.hyperparameters.values)
        try:
            result = self._trials.run(
                trial.trial_id, values, self._left(), workers=self._tuning.workers
            )
        except OutOfTimeError:
            raise _OverError from None
        except Exception as error:
            # KerasTuner would take what is wrong with the search for a failure of the trial.
            self._broken = error
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
        """Returns the values to train with first, none where the settings are best; then others."""
        ranked = self._ranked()
        best = self._contest().winner()
        first = [trial for trial in ranked if trial.trial_id == best]
        others = [trial.hyperparameters for trial in ranked if trial.trial_id != best]
        found = [trial.hyperparameters for trial in first] or [keras_tuner.HyperParameters()]
        return [*found, *others][:num_trials]

    def found(self) -> Search:
        """Returns what the search came to."""
        best = setting_values(self.get_best_hyperparameters()[0].values)
        return Search(
            best=best,
            number=self._contest().winner(),
            trials=self._tried(),
            objective=self._tuning.objective,
            rows=self._rows,
            time_is_over=self._over() and len(self.oracle.start_order) < self._tuning.trials,
        )

    def search_space_summary(self, extended: bool = False) -> None:
        """Prints nothing: the space stands in the settings."""

    def results_summary(self, num_trials: int = 10) -> None:
        """Prints nothing: `found` has all."""

    def _try_defaults(self, whole: float) -> None:
        try:
            result = self._trials.run(DEFAULTS, {}, max(self._left(), 0.0), whole=True)
        except OutOfTimeError:
            raise TrainingError(
                "A search has time for the settings as they are, and for more. Received "
                f"tuning.max_minutes of {whole / 60:g}, in which not even their trial ended. Give "
                "more minutes, or fewer tuning.rows."
            ) from None
        if result.status == "failed":
            raise TrainingError(
                "The settings as they are must be ones that can be trained. Received from their "
                f"trial: {result.reason}"
            )

    def _confirm(self) -> None:
        """Trains the best trials and the settings as they are with further seeds.

        Many were tried and one is best by luck alone: of two that are equal, the one that had it
        on these rows with this seed.
        """
        contest = self._contest()
        with contextlib.suppress(OutOfTimeError):
            for again in contest.entries(self._tuning.confirm, self._settings.training.seed):
                if self._left() <= 0:
                    return
                self._trials.run(again.number, again.values, self._left(), whole=True)

    def _contest(self) -> Contest:
        results = self._trials.results()
        objective = self._tuning.objective
        scores = {number: result.metrics.get(objective) for number, result in results.items()}
        # The figures of one that was stopped are not those of its settings.
        whole = [
            trial
            for trial in self._ranked()
            if trial.trial_id in results and results[trial.trial_id].status == "finished"
        ]
        candidates = {
            trial.trial_id: setting_values(trial.hyperparameters.values)
            for trial in whole[:_CANDIDATES]
        }
        return Contest(candidates, scores, self._tuning.min_gain)

    def _ranked(self) -> list[Trial]:
        """The trials with a score, the best first; in the same order every time."""
        scored = [trial for trial in self.oracle.trials.values() if trial.score is not None]
        return sorted(scored, key=lambda trial: (-trial.score, trial.trial_id))

    def _tried(self) -> list[Tried]:
        results = self._trials.results()
        trials = [DEFAULTS, *self.oracle.start_order]
        seeds = [again.number for again in self._contest().entries(self._tuning.confirm, 0)]
        return [
            Tried(number=number, values=values, result=results[number])
            for number in [*trials, *seeds]
            if number in results and (values := self._trials.values(number)) is not None
        ]

    def _orders(self) -> workers.Orders:
        assert self._until is not None
        return workers.Orders(
            settings=self._settings.model_dump(mode="json"),
            logs=str(self._trials.logs),
            width=self._width,
            rows=self._rows,
            until=self._until,
        )

    def _left(self) -> float:
        assert self._until is not None
        return self._until - time.time()

    def _over(self) -> bool:
        """Whether the time left is no more than another trial and the best ones again will take."""
        results = self._trials.results()
        took = [result.seconds for result in results.values() if result.status == "finished"]
        mean = statistics.fmean(took or [0.0])
        again = self._tuning.confirm * (1 + _CANDIDATES) * mean
        kept = mean + min(again, _KEPT * self._tuning.max_minutes * 60)
        # Where time is that short, one trial is still better than none.
        return self._left() <= (kept if len(results) > 1 else 0.0)
