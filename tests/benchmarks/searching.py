"""Searches for better settings on a real set and measures on test rows what they bring.

    python -m tests.benchmarks.searching FOLDER [--minutes N] [--seeds N] [--state FOLDER]

The search sees train.csv and val.csv alone. Then the settings as they are and those that were
found are trained with several seeds each, and measured on test.csv. With --state, a search that
was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from prodcls_tf import Settings, progress
from prodcls_tf.tuning.results import Search
from prodcls_tf.tuning.search import search
from tests.benchmarks.training import train_once

_FIGURES = ("test_accuracy", "test_macro_f1", "seconds")


def main() -> int:
    """Searches, trains, and prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.searching")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    options = parser.parse_args()
    minutes = f"tuning.max_minutes={options.minutes}"
    settings = Settings.load(overrides=[minutes, *options.overrides])
    with tempfile.TemporaryDirectory() as temporary, progress.listening(_say_trials):
        state = options.state or Path(temporary)
        found = _search(settings, options.folder, state)
    _show_trials(found)
    best = [f"{name}={json.dumps(value)}" for name, value in found.best.items()]
    _say(f"\nfound: {' '.join(best) or 'nothing better'}\n")
    _show("the settings as they are", options.folder, options.seeds, options.overrides)
    if best:
        _show("those that were found", options.folder, options.seeds, [*options.overrides, *best])
    return 0


def _search(settings: Settings, folder: Path, state: Path) -> Search:
    train, val = (
        pd.read_csv(folder / f"{split}.csv", dtype=str, keep_default_na=False)
        for split in ("train", "val")
    )
    return search(settings, train, val, state, state / "logs")


def _show_trials(found: Search) -> None:
    _say("| trial | status | validation macro-F1 | accuracy | s | values |")
    _say("|---|---|---|---|---|---|")
    for tried in found.trials:
        figures = tried.result.metrics
        values = " ".join(f"{name}={_short(value)}" for name, value in tried.values.items())
        _say(
            f"| {tried.number} | {tried.result.status} | {figures.get('macro_f1', 0):.4f} | "
            f"{figures.get('accuracy', 0):.4f} | {tried.result.seconds:.0f} | {values} |"
        )


def _show(name: str, folder: Path, seeds: int, overrides: list[str]) -> None:
    runs = []
    for seed in range(seeds):
        runs.append(train_once(folder, seed, overrides))
        _say(f"{name}, seed {seed}: " + ", ".join(f"{f} {runs[-1][f]:.4f}" for f in _FIGURES))
    means = {figure: statistics.fmean(run[figure] for run in runs) for figure in _FIGURES}
    _say(f"{name}, mean: " + ", ".join(f"{f} {value:.4f}" for f, value in means.items()))


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _say_trials(event: progress.Event) -> None:
    if event.task.startswith("trial") and ":" not in event.task and event.done == event.total:
        _say(f"{event.task}: {event.detail}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
