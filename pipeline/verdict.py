"""Why a model is pushed or is not, from what ML Metadata keeps of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.summary import SplitFigures
from pipeline.training import Version

# The Evaluator's metrics that have a bound: the setting of it, and the figure's name.
_BOUNDED = {
    "CategoryAccuracy": ("min_accuracy", "accuracy"),
    "CategoryMacroF1": ("min_macro_f1", "macro_f1"),
}


def bounds_of(eval_config: str) -> dict[str, float]:
    """Reads the bounds of the section `evaluation` from the Evaluator's configuration.

    Args:
      eval_config: as ML Metadata has it, in JSON.

    Returns:
      The settings by name; none where they cannot be read.

    Example:
      >>> bounds_of('{"metrics_specs": [{"metrics": [{"class_name": "CategoryAccuracy", '
      ...           '"threshold": {"value_threshold": {"lower_bound": 0.5}}}]}]}')
      {'min_accuracy': 0.5}
    """
    bounds: dict[str, float] = {}
    try:
        config: Any = json.loads(eval_config)
        for spec in config["metrics_specs"]:
            for metric in spec["metrics"]:
                if metric["class_name"] in _BOUNDED and "threshold" in metric:
                    bound = metric["threshold"]["value_threshold"].get("lower_bound", 0.0)
                    bounds[_BOUNDED[metric["class_name"]][0]] = float(bound)
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return bounds


def verdict(
    blessed: bool | None,
    versions: Sequence[Version],
    bounds: Mapping[str, float],
    test: SplitFigures | None,
    reasons: Sequence[str] = (),
) -> str:
    """Says what became of a model.

    Args:
      blessed: whether the gates let it through; None where the Evaluator said nothing.
      versions: what the model was pushed as.
      bounds: of the section `evaluation`.
      test: the figures on test rows, None where they are lost.
      reasons: what the gates after the Evaluator have against it.

    Returns:
      A sentence without capital and full stop.
    """
    former = _pushes(versions)
    if blessed is None:
        return "the Evaluator did not measure it to the end: the run was stopped before"
    if not blessed:
        failures = "; ".join([*_failures(bounds, test), *reasons]) or "a gate did not bless it"
        return f"{failures}{f'; before that, {former}' if former else ''}"
    return former or "no gate refused it, but it was not pushed: the run was stopped before"


def _pushes(versions: Sequence[Version]) -> str:
    if not versions:
        return ""
    kept = [version for version in versions if version.there]
    if not kept:
        return f"it was pushed as version {versions[-1].folder.name}, which was deleted since"
    last = kept[-1]
    serves = "it serves" if last.serves else "another one serves"
    return f"it was pushed as version {last.folder.name}; {serves}"


def _failures(bounds: Mapping[str, float], test: SplitFigures | None) -> list[str]:
    """The bounds that were missed, as far as the figures tell."""
    if test is None:
        return []
    figures = test.model_dump()
    return [
        f"{name} on test rows is {figures[name]:.3f}, under evaluation.{setting} of "
        f"{bounds[setting]:.3f}"
        for setting, name in _BOUNDED.values()
        if setting in bounds and figures[name] < bounds[setting]
    ]
