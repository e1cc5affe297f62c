"""Which of the best trials is better than the settings as they are, and not by luck alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from prodcls_tf.tuning.results import DEFAULTS, with_seed

_SEED = "training.seed"


@dataclass(frozen=True)
class Entry:
    """A training with another seed.

    Attributes:
      number: of its trial.
      values: the settings that it tries, the seed with them.
    """

    number: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Contest:
    """The best trials beside the settings as they are, with several seeds each.

    The best of many trials looks better than it is: where all are equal, luck decides which one
    stands first (Cawley and Talbot 2010).

    Attributes:
      candidates: values by trial, the best one first.
      scores: the objective's figures by trial, those with other seeds among them; None for one
        that failed.
      min_gain: the mean gain that one must exceed.

    Example:
      >>> scores = {"defaults": 0.80, "07": 0.83, "defaults-seed1": 0.82, "07-seed1": 0.78}
      >>> Contest({"07": {"training.epochs": 6}}, scores).winner()
      'defaults'
    """

    candidates: Mapping[str, Mapping[str, Any]]
    scores: Mapping[str, Optional[float]]
    min_gain: float = 0.0

    def entries(self, seeds: int, first: int) -> list[Entry]:
        """Lists the trainings that the contest needs.

        Args:
          seeds: how many, beside the one that all trials had.
          first: that one.

        Returns:
          The trainings in order; none where no candidate was better than the settings as they are.
        """
        before = self.scores.get(DEFAULTS)
        better = {
            number: values
            for number, values in self.candidates.items()
            if before is None or (self.scores.get(number) or 0.0) > before
        }
        if not better:
            return []
        return [
            Entry(with_seed(number, seed), {**values, _SEED: first + seed})
            for seed in range(1, seeds + 1)
            for number, values in {DEFAULTS: {}, **better}.items()
        ]

    def winner(self) -> str:
        """Returns the trial that is better with the first seed, with the others, and by enough.

        Of several such, the one with the best mean over all. Only candidates that were trained
        with as many seeds as any of them count, and none that failed with one.

        Returns:
          Its number; `defaults` where there is none.
        """
        gains = {number: self._gains(number) for number in self.candidates}
        most = max(map(len, gains.values()), default=0)
        means = {
            number: statistics.fmean(found)
            for number, found in gains.items()
            if len(found) == most and _holds(found, self.min_gain)
        }
        return max(means, key=lambda number: means[number], default=DEFAULTS)

    def _gains(self, number: str) -> list[float]:
        """What a candidate has over the settings as they are, by seed; none for a failure."""
        gains, seed = [], 0
        while with_seed(number, seed) in self.scores:
            after = self.scores[with_seed(number, seed)]
            if after is None:
                return []
            before = self.scores.get(with_seed(DEFAULTS, seed))
            if before is not None:
                gains.append(after - before)
            seed += 1
        return gains


def _holds(gains: list[float], least: float) -> bool:
    """Whether a candidate gains with the seed it was chosen by, with those after it, and enough."""
    if not gains:
        return False
    chosen, *after = gains
    again = statistics.fmean(after or [chosen])
    return chosen > 0 and again > 0 and statistics.fmean(gains) > least
