"""What came of comparing a model with the one that serves. Imports no numpy."""

from __future__ import annotations

from typing import Optional

import pydantic

from prodcls_tf.sections.release import EvaluationSettings


class Change(pydantic.BaseModel):
    """A figure of both models on the same rows.

    Attributes:
      metric: `accuracy` or `macro_f1`.
      rows: how many.
      kind: what the slice goes by, such as `category`; None for all rows.
      slice: which one, such as `Audio`; None for all rows.
      before: the figure of the model that serves.
      after: the new model's.
      allowed: how far it may fall: what the setting says, or what may be chance if that is more.
    """

    metric: str
    rows: int
    kind: Optional[str] = None
    slice: Optional[str] = None
    before: float
    after: float
    allowed: float

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def fell(self) -> bool:
        """Whether it fell by more than it may."""
        return self.before - self.after > self.allowed

    @property
    def setting(self) -> str:
        """The setting that says how far it may fall."""
        return "max_drop" if self.slice is None else "max_slice_drop"


class Comparison(pydantic.BaseModel):
    """A model beside the one that serves, on the same test rows.

    Attributes:
      version: the one that serves.
      changes: the figures on all rows, then those on each slice that has rows enough.
    """

    version: str
    changes: list[Change]

    @property
    def line(self) -> str:
        """The figures on all rows, in words.

        Example:
          >>> comparison.line  # doctest: +SKIP
          'beside version 17, which served: accuracy 0.912 → 0.920, macro-F1 0.861 → 0.866'
        """
        figures = [
            f"{_NAMES[change.metric]} {change.before:.3f} → {change.after:.3f}"
            for change in self.changes
            if change.slice is None
        ]
        return f"beside version {self.version}, which served: {', '.join(figures)}"

    def reasons(self, settings: EvaluationSettings) -> list[str]:
        """Says why the model must not take over, one sentence a figure that fell too far.

        Args:
          settings: by which it was compared.

        Returns:
          Sentences without capital and full stop, the figures on all rows first, then the slices
          that fell most; none where it may.
        """
        fallen = [change for change in self.changes if change.fell]
        fallen.sort(key=_place)
        told = [self._reason(change, settings) for change in fallen[:_TOLD]]
        more = [f"and {len(fallen) - _TOLD} more slices fell too far"] * (len(fallen) > _TOLD)
        return told + more

    def _reason(self, change: Change, settings: EvaluationSettings) -> str:
        where = f" of {change.kind} {change.slice!r}" if change.slice is not None else ""
        bound = getattr(settings, change.setting)
        chance = f", and chance explains {change.allowed:.3f}" if change.allowed > bound else ""
        return (
            f"{_NAMES[change.metric]} on {change.rows:,} test rows{where} is {change.after:.3f}, "
            f"under the {change.before:.3f} of version {self.version}, which serves, by "
            f"{change.before - change.after:.3f}: evaluation.{change.setting} allows "
            f"{bound:.3f}{chance}"
        )


def _place(change: Change) -> tuple[bool, float]:
    """Where it is told: after those on all rows, the worst first."""
    return (False, 0.0) if change.slice is None else (True, change.after - change.before)


# Of a model that is worse everywhere, each slice has fallen: the summary has them all.
_TOLD = 6
_NAMES = {"accuracy": "accuracy", "macro_f1": "macro-F1"}
