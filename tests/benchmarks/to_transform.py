"""Time and memory of all steps before the training on many rows, for docs/results.md.

    python -m tests.benchmarks.to_transform [ROWS] [section.name=value ...]

The rows are those of `tests.benchmarks.intake`. A process of its own runs the pipeline on them, as
`prodcls run` does, and ends when the Trainer would begin.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from prodcls_tf import progress
from prodcls_tf.settings import Settings
from tests.benchmarks.intake import peak_mb, say, write_rows


def main() -> int:
    """Measures once."""
    if sys.argv[1:2] == ["--child"]:
        _measure(Path(sys.argv[2]), sys.argv[3:])
        return 0
    words = [word for word in sys.argv[1:] if "=" not in word]
    overrides = [word for word in sys.argv[1:] if "=" in word]
    count = int(words[0].replace(",", "")) if words else 1_000_000
    say(f"{count:,} rows {' '.join(overrides)}\n\n| step | seconds | peak MB | of a worker |")
    say("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder, "products.csv"), count)
        child = [sys.executable, "-m", "tests.benchmarks.to_transform", "--child", folder]
        return subprocess.run([*child, *overrides], check=False).returncode


def _measure(folder: Path, overrides: list[str]) -> None:
    from pipeline.runner import run

    began = {}

    def listen(event: progress.Event) -> None:
        place, _, name = event.task.partition(" ")
        if "/" not in place:
            return
        if name == "Trainer":
            # Nothing of what the training would need is wanted any more.
            os._exit(0)
        if name not in began:
            began[name] = time.perf_counter()
        elif event.done:
            seconds = time.perf_counter() - began[name]
            own, worker = map(peak_mb, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
            say(f"| {name} | {seconds:.0f} | {own:.0f} | {worker:.0f} |")

    with progress.listening(listen):
        run(Settings.load(overrides=overrides), {"all": [folder / "products.csv"]}, folder / "out")


if __name__ == "__main__":
    sys.exit(main())
