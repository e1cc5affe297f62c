"""Trains once with the defaults in a process of its own, so that its peak memory is its own.

    python -m tests.benchmarks.one_training FOLDER SEED [section.name=value ...]

prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import pandas as pd

from prodcls_tf import ProductClassifier, Settings


def measure(folder: Path, seed: int, overrides: list[str]) -> dict[str, float]:
    """Trains on train.csv, choosing on val.csv, and measures val.csv and test.csv."""
    train, val, test = (
        pd.read_csv(folder / f"{split}.csv", dtype=str, keep_default_na=False)
        for split in ("train", "val", "test")
    )
    settings = Settings.load(overrides=[f"training.seed={seed}", *overrides])
    classifier = ProductClassifier(settings)
    start = time.perf_counter()
    trained = classifier.fit(train, val)
    seconds = time.perf_counter() - start
    found = classifier.evaluate(test)
    return {
        "test_accuracy": found.accuracy,
        "test_macro_f1": found.macro_f1,
        "test_weighted_f1": found.weighted_f1,
        "val_accuracy": trained.metrics["val"].accuracy,
        "val_macro_f1": trained.metrics["val"].macro_f1,
        "baseline_val_accuracy": trained.baseline["val"].accuracy,
        "baseline_val_macro_f1": trained.baseline["val"].macro_f1,
        "seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])) + "\n")
