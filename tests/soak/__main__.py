"""Runs the fault table's rows under full load and prints what was seen.

    python -m tests.soak [row ...] [--seconds 120] [--clients 64] [--model FOLDER]

Each row has a server process and a process of clients of its own. The exit code is 1 if a row did
not hold.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from tests import conftest  # noqa: F401  (a quiet TensorFlow, from the first import on)
from tests.soak import crowds, ends, report, requests, versions
from tests.soak.shop import tiny_version
from tests.soak.trial import Settings, Trial

ROWS: dict[str, tuple[str, Callable[[Trial], None]]] = {
    "1": ("20 hot swaps", versions.hot_swaps),
    "2": ("corrupt saved_model.pb as newest version", versions.corrupt_graph),
    "3": ("newest folder incomplete", versions.incomplete_folder),
    "7": ("current version deleted, then its base folder", versions.deleted_folders),
    "8": ("rollback by policy or label", versions.rollbacks),
    "9": ("SIGTERM with 64 requests in flight", ends.calm_end),
    "10": ("kill -9 of the server", ends.sudden_end),
    "11": ("queue full at 4 times capacity", crowds.full_queue),
    "12": ("10 ms deadline, slow model", crowds.late_requests),
    "13": ("cancelled calls, slow readers", crowds.careless_clients),
    "14": ("message at the limit", requests.sizes_at_the_limit),
    "16": ("strange titles", requests.strange_titles),
    "17": ("a bad row beside good ones in a shared batch", requests.bad_rows),
    "19": ("TLS: no certificate, wrong CA, plain text", requests.strangers_to_tls),
    "20": ("random protos and HTTP bodies", requests.random_bytes),
    "memory": ("hot reloads under light load", versions.memory),
}


def main() -> int:
    """Runs the rows that were asked for; all, if none was."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--seconds", type=float, default=120, help="of load for each row")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--reloads", type=int, default=200, help="in the row memory")
    parser.add_argument("--model", type=Path, help="a version to copy in the rows 1, 16 and memory")
    options = parser.parse_args()
    unknown = [row for row in options.rows if row not in ROWS]
    if unknown or (options.model and not (options.model / "saved_model.pb").is_file()):
        parser.error(f"no such row or model: {' '.join(unknown) or options.model}")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        tiny = tiny_version(Path(folder) / "tiny")
        settings = Settings(tiny, options.model, options.seconds, options.clients, options.reloads)
        trials = [_run(row, settings, Path(folder)) for row in options.rows or ROWS]
    lines = [report.line(trial, ROWS[trial.row][0]) for trial in trials]
    sys.stdout.write(
        f"\n{options.clients} clients, {options.seconds:g} s a row, "
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Linux\n\n"
        f"{report.table(lines)}\n"
    )
    return 1 if any(trial.broken for trial in trials) else 0


def _run(row: str, settings: Settings, folder: Path) -> Trial:
    own = folder / f"row-{row}"
    own.mkdir()
    trial = Trial(row, settings, own)
    trial.say(ROWS[row][0])
    try:
        ROWS[row][1](trial)
    except Exception as error:  # the other rows are still to come
        traceback.print_exc()
        trial.check(False, f"the row comes to its end: {type(error).__name__}: {error}"[:500])
    trial.end()
    return trial


if __name__ == "__main__":
    sys.exit(main())
