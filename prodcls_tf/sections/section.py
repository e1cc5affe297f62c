"""What sections of the settings have in common. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

import pydantic
from pydantic import Field

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]


class Section(pydantic.BaseModel):
    """Settings that belong together; an unknown name is refused."""

    model_config = pydantic.ConfigDict(
        extra="forbid", validate_assignment=True, allow_inf_nan=False
    )
