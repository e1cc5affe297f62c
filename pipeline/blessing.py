"""Says yes or no to a model, as the Pusher understands it."""

from __future__ import annotations

from pathlib import Path

from tfx.types import Artifact
from tfx.types.standard_artifacts import InfraBlessing

from pipeline.gates import GateReport


def bless(blessing: Artifact, model: Artifact, report: GateReport, *, blessed: bool) -> None:
    """Marks a blessing as TFX's Evaluator and InfraValidator do.

    Args:
      blessing: a ModelBlessing or an InfraBlessing.
      model: that it is about.
      report: goes into the artifact's folder.
      blessed: whether the model may pass.
    """
    folder = Path(blessing.uri)
    folder.mkdir(parents=True, exist_ok=True)
    report.write(folder)
    prefix = "INFRA_" if isinstance(blessing, InfraBlessing) else ""
    (folder / f"{prefix}{'BLESSED' if blessed else 'NOT_BLESSED'}").touch()
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_string_custom_property("current_model", model.uri)
    blessing.set_int_custom_property("current_model_id", model.id)


def is_blessed(blessing: Artifact) -> bool:
    """Says whether a blessing, of whichever gate, lets its model through."""
    return blessing.get_int_custom_property("blessed") == 1
