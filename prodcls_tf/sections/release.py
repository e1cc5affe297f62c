"""What a model must be to serve, and as what it serves."""

from __future__ import annotations

from pydantic import Field

from prodcls_tf.sections.section import Count, Section


class EvaluationSettings(Section):
    """What a model must reach on test rows to be pushed."""

    min_accuracy: float = Field(0.5, ge=0.0, le=1.0, description="lowest accuracy that is pushed")
    min_macro_f1: float = Field(0.3, ge=0.0, le=1.0, description="lowest macro-F1 that is pushed")


class PushSettings(Section):
    """The model that is served."""

    model_name: str = Field(
        "prodcls", pattern=r"^[A-Za-z0-9_.-]+$", description="its name, and its folder's"
    )
    top_k: Count = Field(5, description="categories that an answer holds")
    keep: Count = Field(
        5, description="older versions that stay beside those that serve; the others are removed"
    )
