"""Time and memory of the first step on many rows, and prints a line of docs/results.md for each.

    python -m tests.benchmarks.intake [ROWS ...] [OPTIONS OF BEAM ...]

The rows are titles of the shipped sample, repeated and perturbed: a word left out, moved or
misspelt, another number; one in a thousand has a cell too many. Each measurement is a process of
its own that runs the step's executor as the pipeline does.
"""

from __future__ import annotations

import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import prodcls_tf

_ROWS = (10_000, 100_000, 1_000_000)
_SAMPLE = Path(prodcls_tf.__file__).parent / "sample" / "products.csv"


def main() -> int:
    """Measures each number of rows."""
    if sys.argv[1:2] == ["--child"]:
        _measure(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
        return 0
    options = [word for word in sys.argv[1:] if word.startswith("--")]
    words = [word for word in sys.argv[1:] if word not in options]
    counts = [int(word.replace(",", "").replace("_", "")) for word in words] or _ROWS
    say("| rows | MB | parts | seconds | rows a second | peak MB | of a worker |")
    say("|---|---|---|---|---|---|---|")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "products.csv")
            write_rows(path, count)
            child = [sys.executable, "-m", "tests.benchmarks.intake", "--child"]
            subprocess.run([*child, str(path), f"{folder}/examples", *options], check=True)
    return 0


def write_rows(path: Path, count: int) -> None:
    """Writes so many rows made of the sample's."""
    dice = random.Random(0)
    with _SAMPLE.open(encoding="utf-8", newline="") as stream:
        sample = [(row["title"].split(), row["category"]) for row in csv.DictReader(stream)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["title", "category"])
        for number in range(count):
            words, category = dice.choice(sample)
            cells = [" ".join(_perturbed(words, dice)), category]
            writer.writerow([*cells, "stray"] if number % 1_000 == 999 else cells)


def _perturbed(words: list[str], dice: random.Random) -> list[str]:
    words = list(words)
    dice.shuffle(words) if dice.random() < 0.2 else None
    if len(words) > 3:
        words.pop(dice.randrange(len(words)))
    place = dice.randrange(len(words))
    words[place] += dice.choice("abcdefghij")
    return [*words, str(dice.randrange(10_000))]


def _measure(path: Path, folder: Path, options: list[str]) -> None:
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types.standard_artifacts import Examples

    from pipeline.example_gen import ProductExampleGen, ProductExampleGenExecutor
    from pipeline.local_beam import local_pipeline
    from prodcls_tf.data.parts import plan
    from prodcls_tf.settings import DataSettings

    settings, examples = DataSettings(), Examples()
    examples.uri = str(folder)
    folder.mkdir()
    properties = ProductExampleGen(
        {"all": [str(path)]},
        settings,
        version="benchmark",
        rejects=str(folder.with_name("rejects.csv")),
        splits=str(folder.with_name("splits")),
    ).exec_properties
    context = BaseBeamExecutor.Context(make_beam_pipeline_fn=lambda: local_pipeline(options))
    step = ProductExampleGenExecutor(context)
    parts = len(plan({"all": [path]}, settings))
    before = peak_mb(resource.RUSAGE_SELF)
    began = time.perf_counter()
    step.Do({}, {"examples": [examples]}, properties)
    seconds = time.perf_counter() - began
    rows = json.loads((folder / "intake.json").read_text(encoding="utf-8"))["rows_read"]
    worker = peak_mb(resource.RUSAGE_CHILDREN)
    say(
        f"| {rows:,} | {path.stat().st_size / 1e6:.0f} | {parts} | {seconds:.1f} | "
        f"{rows / seconds:,.0f} | {peak_mb(resource.RUSAGE_SELF):.0f} ({before:.0f} before) | "
        f"{f'{worker:.0f}' if options else '-'} |"
    )


def peak_mb(of: int) -> float:
    """Returns the most memory that this process, or the largest of its children, had."""
    # Linux counts kilobytes.
    return resource.getrusage(of).ru_maxrss / 1024


def say(line: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
