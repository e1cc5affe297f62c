"""What a client is told: typed results, ranked and with the version that answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Prediction(NamedTuple):
    """One category that a row may belong to.

    Attributes:
      category: the whole path, such as `Electronics > Audio > Headphones`.
      score: 0 to 1; those of all categories sum to 1.
    """

    category: str
    score: float


@dataclass(frozen=True)
class Answer:
    """What a model says of one row.

    Attributes:
      ranked: its best categories, best first.
      version: the version of the model that answered.
    """

    ranked: tuple[Prediction, ...]
    version: int

    @property
    def category(self) -> str:
        """The path of the best category."""
        return self.ranked[0].category

    @property
    def score(self) -> float:
        """The score of the best category."""
        return self.ranked[0].score


@dataclass(frozen=True)
class ModelVersion:
    """A version as its server reports it.

    Attributes:
      version: its number.
      state: START, LOADING, AVAILABLE, UNLOADING or END.
      error: why it is not there, '' if nothing is wrong.
    """

    version: int
    state: str
    error: str = ""

    @property
    def available(self) -> bool:
        """Whether it answers."""
        return self.state == "AVAILABLE"
