"""What a model must be to serve, and as what it serves."""

from __future__ import annotations

from pydantic import Field

from prodcls_tf.sections.section import Count, Section, Unit


class EvaluationSettings(Section):
    """What a model must reach on test rows to be pushed."""

    min_accuracy: Unit = Field(0.5, description="lowest accuracy that is pushed")
    min_macro_f1: Unit = Field(0.3, description="lowest macro-F1 that is pushed")
    max_drop: Unit = Field(
        0.005,
        description="how far accuracy and macro-F1 may be below the serving model's, chance apart",
    )
    max_slice_drop: Unit = Field(0.05, description="the same of the accuracy on any slice of rows")
    chance_errors: float = Field(
        2.0, ge=0.0, allow_inf_nan=False,
        description="standard errors of a fall that count as chance; 0 for none",
    )  # fmt: skip
    slice_rows: Count = Field(100, description="test rows of a slice, at least, to be judged")
    canary_seconds: float = Field(
        120.0, gt=0.0, description="for a server with the new model to start, to load, to answer"
    )


class PushSettings(Section):
    """The model that is served."""

    model_name: str = Field(
        "prodcls", pattern=r"^[A-Za-z0-9_.-]+$", description="its name, and its folder's"
    )
    top_k: Count = Field(5, description="categories that an answer holds")
    keep: Count = Field(
        5, description="older versions that stay beside those that serve; the others are removed"
    )
