"""How far the rows of a run may be from those accepted before."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from prodcls_tf.sections.section import Section

Distance = Annotated[float, Field(ge=0.0, le=1.0)]
Change = Literal["stop", "allow"]


class ChecksSettings(Section):
    """What stops a run before anything is trained; distances are differences of shares of rows."""

    enabled: bool = Field(
        True, description="compare rows with those accepted before, and stop where they differ"
    )
    new_categories: Change = Field(
        "stop", description="what a category that is new does: or `allow`"
    )
    vanished_categories: Change = Field(
        "stop", description="what a category does that should have rows and has none: or `allow`"
    )
    max_category_drift: Distance = Field(
        0.1, description="most that a category's share of the rows may change; 1 for any"
    )
    max_empty_drift: Distance = Field(
        0.1, description="most that the share of empty values of a text column may change"
    )
    max_length_drift: Distance = Field(
        0.2, description="most that the share of texts up to any length may change"
    )
    max_language_drift: Distance = Field(
        0.1, description="most that the share of texts in a language may change"
    )
    max_skew: Distance = Field(
        0.2, description="most that val or test may differ from train in any of these"
    )
