"""What is unusual about the rows of a run: what stops it, and what is worth a note."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

from pydantic import BaseModel, Field

# Kinds, the worst first.
KINDS = (
    "missing_column",
    "schema",
    "retyped_column",
    "new_category",
    "vanished_category",
    "category_drift",
    "language_drift",
    "empty_drift",
    "length_drift",
    "category_skew",
    "language_skew",
    "empty_skew",
    "length_skew",
    "new_column",
)
# How many examples an anomaly names.
EXAMPLES = 5
# A terminal shows no more; OUT/anomalies.json has all.
_SHOWN = 10

# For what has no single split.
ALL_SPLITS = "all"


class Anomaly(BaseModel):
    """One thing about the rows that is not as it was accepted.

    Attributes:
      kind: one of `KINDS`.
      feature: the column.
      split: `train`, `val` or `test`, or `all`.
      message: in words for a person.
      stops: whether the run must not go on; a note otherwise.
      expected: what was accepted; in a skew, what train has.
      received: what there is now.
      distance: how far these are apart, 0 to 1, where that was measured.
      threshold: the most that they may be apart.
      examples: the first few of what it is about, such as category paths.
      places: where rows that it is about stand, `file:line`, where single rows show it.
    """

    kind: str
    feature: str
    split: str
    message: str
    stops: bool
    expected: Any = None
    received: Any = None
    distance: Optional[float] = None
    threshold: Optional[float] = None
    examples: list[str] = Field(default_factory=list)
    places: list[str] = Field(default_factory=list)

    @property
    def excess(self) -> float:
        """How many times the threshold the distance is; 1 where nothing was measured."""
        if self.distance is None or self.threshold is None:
            return 1.0
        return self.distance / max(self.threshold, 1e-9)


class AnomalyReport(BaseModel):
    """All that is unusual about the rows of a run: the content of OUT/anomalies.json.

    Attributes:
      against: number of the accepted state that the rows were compared with, None for a first run.
      anomalies: the worst first.
    """

    against: Optional[int] = None
    anomalies: list[Anomaly] = Field(default_factory=list)

    @classmethod
    def of(cls, against: Optional[int], anomalies: Iterable[Anomaly]) -> AnomalyReport:
        """Makes a report, the worst anomaly first."""
        worst = sorted(
            anomalies, key=lambda one: (not one.stops, KINDS.index(one.kind), -one.excess)
        )
        return cls(against=against, anomalies=worst)

    @property
    def stopping(self) -> list[Anomaly]:
        """Those for which the run must not go on."""
        return [anomaly for anomaly in self.anomalies if anomaly.stops]

    @property
    def notes(self) -> list[Anomaly]:
        """The others."""
        return [anomaly for anomaly in self.anomalies if not anomaly.stops]


def listed(anomalies: list[Anomaly]) -> str:
    """Writes anomalies as indented lines, so many as a person reads."""
    lines = [f"  {anomaly.message}" for anomaly in anomalies[:_SHOWN]]
    if len(anomalies) > _SHOWN:
        lines.append(f"  and {len(anomalies) - _SHOWN} more")
    return "\n".join(lines)
