"""What a run comes to: the content of OUT/summary.json."""

from __future__ import annotations

from typing import Any

import pydantic

from prodcls_tf.data.anomalies import Anomaly
from prodcls_tf.evaluation.comparison import Comparison


class Figures(pydantic.BaseModel):
    """How well the rows of a split are classified.

    Attributes:
      rows: rows that were measured.
      accuracy: share of rows whose best category is right.
      macro_f1: mean F1 over the categories that occur in labels or predictions.
      weighted_f1: mean F1 over the categories, weighted by their rows.
      top3_accuracy: share of rows whose category is among the three best.
    """

    rows: int
    accuracy: float
    macro_f1: float
    weighted_f1: float
    top3_accuracy: float


class SplitFigures(Figures):
    """The figures of the finished model, and those before fine-tuning.

    Attributes:
      baseline: the untouched encoder with its first head, on the same rows.
    """

    baseline: Figures | None = None


class Summary(pydantic.BaseModel):
    """One run of the pipeline.

    Attributes:
      model: folder of the pushed version, None where none was pushed.
      pushed: whether the run's model is there as a version.
      reason: why it was pushed or not, in words for a person.
      comparison: the model beside the one that served when it was judged; None where there was
        none, or where the model was refused before.
      splits: figures by split: `train` (a sample), `val` and `test`.
      seconds: wall-clock seconds by step.
      cached: steps whose former result was taken.
      peak_memory_mb: most memory that the process held, in MiB.
      versions: of prodcls and what it stands on.
      fingerprint: digest of the product files.
      spans: numbers of the spans that they are of; empty where they are of none.
      settings: all settings of the run, those that a search found among them.
      hparams: the settings that a search found, by name; empty without one, or where none is
        better.
      anomalies: what is unusual about the rows and did not stop the run, the worst first.

    Example:
      >>> summary = Summary.model_validate_json(text)  # doctest: +SKIP
      >>> summary.splits["test"].macro_f1  # doctest: +SKIP
      0.87
    """

    model: str | None
    pushed: bool
    reason: str
    splits: dict[str, SplitFigures]
    seconds: dict[str, float]
    cached: list[str]
    peak_memory_mb: float
    versions: dict[str, str]
    fingerprint: str = ""
    spans: list[int] = []
    settings: dict[str, Any]
    hparams: dict[str, Any] = {}
    comparison: Comparison | None = None
    anomalies: list[Anomaly] = []
