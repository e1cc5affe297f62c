"""Whether a search of many trials keeps its memory: 50 real trainings of a tiny BERT.

    python -m tests.benchmarks.search_memory [TRIALS]

prints what the searching process holds after each tenth trial.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.tiny import tiny_rows, tiny_settings, write_tiny_encoder  # isort: skip
from prodcls_tf import progress
from prodcls_tf.tuning.search import search


def main(trials: int) -> int:
    """Searches and prints a line for every ten trials."""
    with tempfile.TemporaryDirectory() as folder:
        encoder = write_tiny_encoder(Path(folder, "encoder"))
        settings = tiny_settings(
            encoder, f"tuning.trials={trials}", "tuning.algorithm=bayesian", "tuning.confirm=0",
            "tuning.space.training.epochs=[1]", "tuning.space.encoder.max_length=null",
        )  # fmt: skip
        done = 0

        def watch(event: progress.Event) -> None:
            nonlocal done
            ended = event.done == event.total and ":" not in event.task
            done += ended
            if ended and done % 10 == 1:
                sys.stdout.write(f"after {done} trials: {_megabytes():.0f} MB\n")
                sys.stdout.flush()

        with progress.listening(watch):
            found = search(
                settings, tiny_rows(90), tiny_rows(45, seed=1), Path(folder, "s"), Path(folder, "l")
            )
    statuses = [tried.result.status for tried in found.trials]
    sys.stdout.write(", ".join(f"{statuses.count(s)} {s}" for s in sorted(set(statuses))) + "\n")
    return 0


def _megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50))
