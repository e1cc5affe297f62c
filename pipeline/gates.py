"""The gates that a model passes on its way to the Pusher, and what they leave. Imports no TFX."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pydantic

from prodcls_tf.evaluation.comparison import Comparison

# Steps whose output `blessing` says whether they let a model through. The Evaluator is TFX's own,
# the others leave a report.
OWN_GATES = ("Comparison", "Canary")
GATES = ("Evaluator", *OWN_GATES)

# In the artifact of a blessing.
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
