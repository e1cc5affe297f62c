"""The gates that a model passes on its way to the Pusher, and what they leave. Imports no TFX."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pydantic

from prodcls_tf.evaluation.comparison import Comparison

# By step, the output that says whether it let the model through.
GATES = {"Evaluator": "blessing", "Comparison": "blessing", "Canary": "blessing"}

# In the artifact of a blessing, for the steps that are our own.
_REPORT = "report.json"


class GateReport(pydantic.BaseModel):
    """What a gate says beside yes or no.

    Attributes:
      reasons: why the model may not pass, in words for a person; empty where it may, or where it
        was refused before.
      comparison: the model beside the one that serves; None where nothing was compared.
    """

    reasons: list[str] = []
    comparison: Optional[Comparison] = None

    @classmethod
    def read(cls, blessing: Path) -> GateReport:
        """Reads what a gate left in the folder of its blessing; an empty report where nothing."""
        try:
            return cls.model_validate_json((blessing / _REPORT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()

    def write(self, blessing: Path) -> None:
        """Leaves the report in the folder of a blessing."""
        (blessing / _REPORT).write_text(self.model_dump_json(indent=2), encoding="utf-8")
