"""Time and memory of the first step on many rows, and prints a line of docs/results.md for each.

    python -m tests.benchmarks.intake [ROWS ...]

The rows are titles of the shipped sample, repeated and perturbed: a word left out, moved or
misspelt, another number; one in a thousand has a cell too many. Each measurement is a process of
its own, which reads them through `survey` and writes the splits as the pipeline does.
"""

from __future__ import annotations

import csv
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
        _measure(Path(sys.argv[2]), Path(sys.argv[3]))
        return 0
    counts = [int(word.replace(",", "").replace("_", "")) for word in sys.argv[1:]] or _ROWS
    _say("| rows | MB | first pass s | second pass and writing s | rows a second | peak MB |")
    _say("|---|---|---|---|---|---|")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "products.csv")
            write_rows(path, count)
            child = [sys.executable, "-m", "tests.benchmarks.intake", "--child"]
            subprocess.run([*child, str(path), f"{folder}/examples"], check=True)
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


def _measure(path: Path, folder: Path) -> None:
    from pipeline.example_gen import write_splits
    from prodcls_tf.data.intake import survey
    from prodcls_tf.data.rejects import rejects_file
    from prodcls_tf.settings import DataSettings

    settings = DataSettings()
    before = _peak_mb()
    began = time.perf_counter()
    intake = survey({"all": [path]}, settings)
    middle = time.perf_counter()
    folder.mkdir()
    with rejects_file(folder / "rejects.csv") as left_out:
        write_splits(intake.rows(left_out), settings.fields, folder)
    end = time.perf_counter()
    rows = intake.report.rows_read
    _say(
        f"| {rows:,} | {path.stat().st_size / 1e6:.0f} | {middle - began:.1f} | "
        f"{end - middle:.1f} | {rows / (end - began):,.0f} | {_peak_mb():.0f} "
        f"({before:.0f} before) |"
    )


def _peak_mb() -> float:
    # Linux counts kilobytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
