"""Trains whenever a span arrives, as a shop does, and prints the table of docs/operations.md.

    python -m tests.benchmarks.spans [FOLDER] [--rows N] [--out FOLDER] [--set a.b=c ...]

FOLDER has train.csv, val.csv and test.csv; each is cut into three spans by the order of its rows.
The pipeline runs on span 1, on 1 and 2, on 2 and 3: each time from the model that serves, measured
on the test rows of the newest span, beside the model that served. The last window is learned once
more in a folder of its own, without a warm start.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd

from pipeline.summary import Summary
from prodcls_tf.data.report import IntakeReport
from prodcls_tf.evaluation.category_changes import NEW, RETIRED, read_changes

_SPANS = 3
_SPLITS = ("train", "val", "test")
# With --rows, rare categories have rows in some spans alone: that is to be seen, and no mistake.
_SETTINGS = (
    "data.spans=2",
    "checks.new_categories=allow",
    "checks.vanished_categories=allow",
)
_HEAD = (
    "| learned from | rows: train / val / test | new, retired categories | the model that served: "
    "accuracy / macro-F1 | the new one | s | of that training | pushed |"
)


def main() -> int:
    """Measures, printing a line for each run as it ends."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.spans", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("../shared/data/flipkart"))
    parser.add_argument("--rows", type=int, help="training rows in all, for a quick try")
    parser.add_argument("--out", type=Path, help="a new folder, for what the runs leave")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    options = parser.parse_args()
    if not (options.folder / "train.csv").is_file():
        sys.stderr.write(f"There is no train.csv in {options.folder}. Name a data set's folder.\n")
        return 2
    with contextlib.ExitStack() as stack:
        out = options.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _say(_HEAD)
        _say("|---|---|---|---|---|---|---|---|")
        for number in range(1, _SPANS + 1):
            write_span(options.folder, out / "data", number, options.rows)
            _say(_measured(out, number, options.overrides))
        _say(_measured(out, _SPANS, options.overrides, warm=False))
    return 0


def write_span(source: Path, folder: Path, number: int, rows: int | None) -> None:
    """Writes a span: FOLDER/train/span-1/products.csv and so on.

    Args:
      source: with train.csv, val.csv and test.csv.
      folder: of the spans.
      number: of the span, from 1.
      rows: the first so many of train.csv, and as large a share of the others; None for all.
    """
    share = 1.0
    for split in _SPLITS:
        table = pd.read_csv(source / f"{split}.csv", dtype=str, keep_default_na=False)
        if split == "train" and rows is not None:
            share = min(1.0, rows / len(table))
        begin, end = (round(len(table) * share * n / _SPANS) for n in (number - 1, number))
        file = folder / split / f"span-{number}" / "products.csv"
        file.parent.mkdir(parents=True)
        table.iloc[begin:end].to_csv(file, index=False)


def _measured(out: Path, newest: int, overrides: list[str], *, warm: bool = True) -> str:
    """Runs the pipeline on the window that ends with a span, and returns the table's line."""
    data, into = out / "data", out / ("warm" if warm else "cold")
    command = [sys.executable, "-m", "prodcls_tf.cli", "run", "--out", str(into)]
    # What is measured is how the products of today are classified.
    for split, folder in (("train", ""), ("val", ""), ("test", f"span-{newest}")):
        command += [f"--{split}", str(data / split / folder)]
    for setting in (*_SETTINGS, *overrides):
        command += ["--set", setting]
    command += ["--warm-start"] if warm else []
    begin = time.perf_counter()
    code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    seconds = time.perf_counter() - begin
    # A model that a gate refused is a result, too.
    if code not in (0, 1):
        sys.exit(f"The run ended with exit code {code}: {' '.join(command)}")
    summary = Summary.model_validate_json((into / "summary.json").read_text(encoding="utf-8"))
    intake = IntakeReport.model_validate_json((into / "intake.json").read_text(encoding="utf-8"))
    states = Counter(one.state for one in read_changes(into / "categories.csv"))
    cells = [
        f"spans {' and '.join(map(str, summary.spans))}{'' if warm else ', no warm start'}",
        " / ".join(f"{intake.kept[split]:,}" for split in _SPLITS),
        f"{states[NEW]}, {states[RETIRED]}" if states else "-",
        *_figures(summary),
        f"{seconds:.0f}",
        f"{summary.seconds['Trainer']:.0f}",
        "yes" if summary.pushed else "no",
    ]
    return f"| {' | '.join(cells)} |"


def _figures(summary: Summary) -> tuple[str, str]:
    """Accuracy / macro-F1 of the model that served and of the new one, on the same rows."""
    if summary.comparison is None:
        test = summary.splits["test"]
        return "-", f"{test.accuracy:.3f} / {test.macro_f1:.3f}"
    accuracy, macro_f1 = summary.comparison.changes[:2]
    return (
        f"{accuracy.before:.3f} / {macro_f1.before:.3f}",
        f"{accuracy.after:.3f} / {macro_f1.after:.3f}",
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
