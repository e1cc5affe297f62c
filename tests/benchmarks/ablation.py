"""Says what each ingredient of the recipe brings: the defaults, and the defaults without it.

    python -m tests.benchmarks.ablation [FOLDER] [--only WORD]

Measured as halves.py does, so without test rows, and each training in a process of its own. Two
further seeds of the defaults show how much of a difference is chance.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from pathlib import Path

from tests.benchmarks.halves import figures, measure

_DEFAULT_FOLDER = Path("../shared/data/flipkart")
_INGREDIENTS = {
    "the defaults": [],
    "the defaults, seed 1": ["training.seed=1"],
    "the defaults, seed 2": ["training.seed=2"],
    "without the running average of the weights": ["training.weight_average=0"],
    "without hidden tokens": ["encoder.token_dropout=0"],
    "without class weights": ["training.class_weight_exponent=0"],
    "without label smoothing": ["training.label_smoothing=0"],
    "without lower rates for lower layers": ["training.layer_decay=1"],
    "without the probe as the head's start": ["head.probe=false"],
    "the pooler's output in place of the mean": ["encoder.pooling=pooler"],
    "all layers trained": ["encoder.freeze=none"],
    "plain fine-tuning: none of these": [
        "training.weight_average=0",
        "encoder.token_dropout=0",
        "training.class_weight_exponent=0",
        "training.label_smoothing=0",
        "training.layer_decay=1",
        "head.probe=false",
        "encoder.pooling=pooler",
        "encoder.freeze=none",
        "training.head_multiplier=1",
    ],
}


def main() -> int:
    """Prints the table of docs/results.md, a row as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ablation")
    parser.add_argument("folder", type=Path, nargs="?", default=_DEFAULT_FOLDER)
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    told = parser.parse_args()
    if not (told.folder / "train.csv").is_file():
        sys.stderr.write(
            f"The ablation needs a folder with train.csv and val.csv. Received {told.folder}. Name "
            "one with ARGS=FOLDER. Nothing else depends on it.\n"
        )
        return 2
    _say(f"| {told.folder.name} | deep branch | and the wide branch | s |\n|---|---|---|---|")
    for name, overrides in _INGREDIENTS.items():
        if told.only in name:
            # TensorFlow's threads and memory are those of a process.
            with multiprocessing.get_context("spawn").Pool(1) as fresh:
                _, found, seconds = fresh.apply(measure, (told.folder, overrides))
            told_of = figures(found["deep"]), figures(found["both"]), f"{seconds:.0f}"
            _say(f"| {name} | {' | '.join(told_of)} |")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
