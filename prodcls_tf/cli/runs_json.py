"""Prints what is known of trained models as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from pipeline.history import History
from pipeline.training import Training
from prodcls_tf.cli import terminal
from prodcls_tf.cli.runs_compared import f1_by_category, same_rows
from prodcls_tf.cli.runs_found import name_of
from prodcls_tf.cli.runs_listed import newest_first
from prodcls_tf.cli.runs_settings import differing, settings_of, unlike_defaults


def print_list(histories: Sequence[History]) -> None:
    """Prints `runs` (newest first), `differs`, `unfinished` and `problems`."""
    trainings = newest_first(histories)
    _print(
        {
            "runs": [_of(training) for training in trainings],
            "differs": _differences(trainings),
            "unfinished": [
                {"run": name_of(run), "state": run.state, "started": run.started.isoformat()}
                for history in histories
                for run in history.unfinished
            ],
            "at_work": [str(history.out) for history in histories if history.at_work],
            "problems": [problem for history in histories for problem in history.problems],
        }
    )


def print_one(training: Training) -> None:
    """Prints all that is known of a model."""
    _print({**_of(training), "unlike_defaults": unlike_defaults(training)})


def print_comparison(trainings: Sequence[Training]) -> None:
    """Prints `runs`, `differs`, `same_rows`, and `f1_by_category` with a value for each run."""
    _print(
        {
            "runs": [_of(training) for training in trainings],
            "differs": _differences(trainings),
            "same_rows": same_rows(trainings),
            "f1_by_category": f1_by_category(trainings),
        }
    )


def _differences(trainings: Sequence[Training]) -> dict[str, dict[str, str | None]]:
    """By name of a setting, and by run."""
    made = {name_of(training): settings_of(training) for training in trainings}
    return {
        name: {run: settings.get(name) for run, settings in made.items()}
        for name in differing(trainings)
    }


def _of(training: Training) -> dict[str, Any]:
    return {
        "run": name_of(training),
        "folder": str(training.out),
        "id": training.id,
        "trained": training.trained and training.trained.isoformat(),
        "seconds": training.seconds,
        "splits": {split: figures.model_dump() for split, figures in training.figures.items()},
        "blessed": training.blessed,
        "verdict": training.verdict,
        "comparison": training.comparison and training.comparison.model_dump(),
        "versions": [
            {"folder": str(push.folder), "there": push.there, "serves": push.serves}
            for push in training.versions
        ],
        "model": training.model and str(training.model),
        "files": list(training.origin.files),
        "fingerprint": training.origin.fingerprint,
        "code": training.origin.code,
        "encoder": training.origin.encoder,
        "settings": training.settings,
        "steps": [
            {"step": step.step, "seconds": step.seconds, "cached": step.cached}
            for step in training.steps
        ],
        "software": training.software,
        "missing": list(training.missing),
    }


def _print(values: dict[str, Any]) -> None:
    shown = json.dumps(values, ensure_ascii=False, indent=2, default=str)
    terminal.out().print(Text(shown), soft_wrap=True)
