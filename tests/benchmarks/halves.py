"""Compares settings without test rows: learns from half of train and val, measures the rest.

    python -m tests.benchmarks.halves FOLDER [section.name=value ...]

Half of the rows to measure is several times what val.csv has, so smaller differences show. Prints
accuracy / macro-F1 of the linear probe, of each branch alone, and of both (weighed on these rows).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from prodcls_tf import ProductClassifier, Settings
from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.evaluation.metrics import Metrics
from prodcls_tf.training.measuring import BranchScorer


class Measured(NamedTuple):
    """What one training came to.

    Args:
      rows: that were measured.
      found: the metrics of the linear probe, of each branch alone, and of both.
      seconds: that the training took.
    """

    rows: int
    found: dict[str, Metrics]
    seconds: float


def measure(folder: Path, overrides: list[str]) -> Measured:
    """Trains once, with settings over the defaults, and measures.

    Args:
      folder: with train.csv and val.csv.
      overrides: settings as `section.name=value`.

    Returns:
      The figures.
    """
    files = [folder / f"{split}.csv" for split in ("train", "val")]
    rows = pd.concat([pd.read_csv(file, dtype=str, keep_default_na=False) for file in files])
    rows = rows.sample(frac=1, random_state=7)
    learned, measured = rows.iloc[: len(rows) // 2], rows.iloc[len(rows) // 2 :]
    measured = measured[measured["category"].isin(set(learned["category"]))]
    classifier = ProductClassifier(Settings.load(overrides=overrides))
    start = time.perf_counter()
    trained = classifier.fit(learned, measured)
    seconds = time.perf_counter() - start
    number = {path: label for label, path in enumerate(classifier.categories)}
    labels = np.array([number[path] for path in measured["category"]])
    examples = EncodedExamples.from_texts(
        {"title": list(measured["title"])}, labels, classifier.model.text_to_ids
    )
    branches = BranchScorer(classifier.model).logits(examples, "measured rows")
    found = {
        "probe": trained.baseline["val"],
        **{
            name: Metrics.of(labels, logits)
            for name, logits in zip(("deep", "wide"), branches, strict=False)
        },
        "both": trained.metrics["val"],
    }
    return Measured(len(labels), found, seconds)


def figures(metrics: Metrics) -> str:
    """Returns accuracy / macro-F1."""
    return f"{metrics.accuracy:.4f} / {metrics.macro_f1:.4f}"


def main() -> None:
    """Measures once and prints a line."""
    folder, overrides = Path(sys.argv[1]), sys.argv[2:]
    rows, found, seconds = measure(folder, overrides)
    told = ", ".join(f"{name} {figures(metrics)}" for name, metrics in found.items())
    sys.stdout.write(f"{folder.name} {' '.join(overrides)}: {rows} rows: {told}; {seconds:.0f} s\n")


if __name__ == "__main__":
    main()
