"""How the pipeline runs."""

from __future__ import annotations

from pydantic import Field

from prodcls_tf.sections.section import Count, Section


class PipelineSettings(Section):
    """How the pipeline runs."""

    beam_args: list[str] = Field(
        default_factory=list, description="options for Apache Beam, such as --runner=..."
    )
    keep: Count = Field(
        5,
        description="trainings whose examples and weights stay; older ones keep figures alone",
    )
