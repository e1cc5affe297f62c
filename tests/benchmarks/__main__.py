"""Compares the defaults with a linear SVM on real sets and prints the table of docs/results.md.

    python -m tests.benchmarks [--data FOLDER] [--sets NAME ...] [--seeds N] [--set a.b=c ...]

A set is a folder with train.csv, val.csv and test.csv, columns `title` and `category`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from pathlib import Path

from tests.benchmarks import linear_svm
from tests.benchmarks.training import train_once

_SETS = ["flipkart", "pricerunner_cluster", "banking77"]
_HEAD = (
    "| set | linear SVM: accuracy / macro-F1 | prodcls: accuracy / macro-F1 / weighted-F1, mean "
    "(lowest) | fewer errors | training s | peak MB |"
)


def main() -> int:
    """Measures, printing each training as it ends and the table at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", nargs="+", default=_SETS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    options = parser.parse_args()
    missing = [name for name in options.sets if not (options.data / name / "test.csv").is_file()]
    if missing:
        sys.stderr.write(
            f"The benchmark needs data sets under {options.data}; missing: {', '.join(missing)}.\n"
            "Name their folder with ARGS='--data FOLDER'. Nothing else depends on them.\n"
        )
        return 2
    rows = [_HEAD, "|---|---|---|---|---|---|"]
    rows += [_row(n, options.data / n, options.seeds, options.overrides) for n in options.sets]
    sys.stdout.write(f"\n{_machine()}\n\n" + "\n".join(rows) + "\n")
    return 0


def _row(name: str, folder: Path, seeds: int, overrides: list[str]) -> str:
    peer = linear_svm.measure(folder)
    _say(f"{name}, linear SVM: {json.dumps(peer)}")
    runs = []
    for seed in range(seeds):
        runs.append(train_once(folder, seed, overrides))
        _say(f"{name}, seed {seed}: {json.dumps(runs[-1])}")
    columns = {key: [run[key] for run in runs] for key in runs[0]}
    mean = {key: statistics.fmean(values) for key, values in columns.items()}
    figures = " / ".join(
        f"{mean[key]:.3f} ({min(columns[key]):.3f})"
        for key in ("test_accuracy", "test_macro_f1", "test_weighted_f1")
    )
    fewer = 1 - (1 - mean["test_accuracy"]) / (1 - peer["test_accuracy"])
    return (
        f"| {name} | {peer['test_accuracy']:.3f} / {peer['test_macro_f1']:.3f} | {figures} | "
        f"{fewer:.0%} | {mean['seconds']:.0f} | {max(columns['peak_mb']):.0f} |"
    )


def _machine() -> str:
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Linux"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
