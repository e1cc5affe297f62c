"""Measures the embedded server beside calls of the same SavedModel in a process.

    python -m tests.benchmarks.serving [--model FOLDER] [--seconds N] [--rounds N]

The server, the process that calls the SavedModel, and the load are three processes on one machine.
What is compared is measured alternately, round by round; the figures are medians of the rounds.
The rounds of a single client are short, and more: the speed of a machine's cores changes from one
second to the next by more than what is measured there.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from prodcls_tf.errors import ProdclsError
from serving.versions import find_version
from tests.benchmarks.serving.processes import NAME, InProcess, Pushing, Rows, Server

_SAMPLE = Path(__file__).parents[3] / "prodcls_tf/sample/products.csv"
_BATCH = 32
_SHORT_SECONDS = 1.0
_SWAP_SECONDS = 6.0
# Clients, rows of a request, and seconds between an answer and the next request: all that two cores
# can do, and half of it.
_SWAP_LOADS = (4, 8, 0.0), (2, 2, 0.03)
_BATCHING = """max_batch_size { value: %d }
batch_timeout_micros { value: 0 }
max_enqueued_batches { value: 32 }
num_batch_threads { value: 2 }
"""

# Calls for so many seconds; returns how long each call took.
Calls = Callable[[float], list[float]]


def main() -> int:
    """Measures and prints the tables of docs/results.md."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.serving")
    parser.add_argument("--model", type=Path, default=Path("runs/demo"))
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    try:
        version = find_version(told.model)
    except ProdclsError as error:
        sys.stderr.write(f"{error}\n`make demo` makes one.\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder, NAME)
        shutil.copytree(version, base / "1")
        batching = Path(folder, "batching.config")
        batching.write_text(_BATCHING % _BATCH, encoding="utf-8")
        with InProcess(version) as model:
            _compare(model, base, batching, told.seconds, told.rounds)
        _swap(base, model.fields, told.seconds * told.rounds)
    return 0


def _compare(model: InProcess, base: Path, batching: Path, seconds: float, rounds: int) -> None:
    rows, fields = sample_rows(model.fields), model.fields
    one, many = rows[:1], rows[:_BATCH]
    flags = ("--enable_batching", f"--batching_parameters_file={batching}")
    with Server(base) as plain, Server(base, *flags) as merging:
        for server in (plain, merging):
            server.time([one] * 2 * _BATCH, 1.0, fields)

        def called(asked: Rows, callers: int) -> Calls:
            return lambda seconds: model.time(asked, callers, seconds)

        def served(server: Server, questions: Sequence[Rows]) -> Calls:
            return lambda seconds: server.time(questions, seconds, fields)

        _say("| rows a second | in process | served | ratio |\n|---|---|---|---|")
        for callers in (1, 2, 4):
            what = f"requests of {_BATCH} rows, {callers} at a time"
            both = called(many, callers), served(plain, [many] * callers)
            _throughput(what, *both, (_BATCH, _BATCH), seconds, rounds)
        what = f"{2 * _BATCH} clients of 1 row, merged to {_BATCH}; in process: batches of {_BATCH}"
        # The same rows: a batch costs what its longest costs.
        both = called(many, 1), served(merging, [[row] for row in many] * 2)
        _throughput(what, *both, (_BATCH, 1), seconds, rounds)
        _say("\n| one client, 1 row: ms | in process | served | difference |\n|---|---|---|---|")
        for name, server in (("each by itself", plain), ("--enable_batching", merging)):
            _latency(name, called(one, 1), served(server, [one]), seconds * rounds)


def _throughput(
    what: str,
    call: Calls,
    serve: Calls,
    rows: tuple[int, int],
    seconds: float,
    rounds: int,
) -> None:
    speeds = [
        (len(call(seconds)) * rows[0] / seconds, len(serve(seconds)) * rows[1] / seconds)
        for _ in range(rounds)
    ]
    called, served = (statistics.median(column) for column in zip(*speeds, strict=True))
    ratio = statistics.median(b / a for a, b in speeds)
    _say(f"| {what} | {called:.0f} | {served:.0f} | {ratio:.2f} |")


def _latency(what: str, call: Calls, serve: Calls, seconds: float) -> None:
    medians = [
        tuple(1000 * statistics.median(calls(_SHORT_SECONDS)) for calls in (call, serve))
        for _ in range(max(1, round(seconds / _SHORT_SECONDS)))
    ]
    called, served = (statistics.median(column) for column in zip(*medians, strict=True))
    more = statistics.median(b - a for a, b in medians)
    _say(f"| {what}, p50 | {called:.2f} | {served:.2f} | {more:+.2f} |")


def _swap(base: Path, fields: Sequence[str], seconds: float) -> None:
    rows = sample_rows(fields)
    with Server(base) as server:
        for clients, size, pause in _SWAP_LOADS:
            what = f"{clients} clients, {size} rows, {1000 * pause:.0f} ms apart"
            _say(f"\n| {what}: ms | requests | p50 | p99 | largest |\n|---|---|---|---|---|")
            load = [rows[:size]] * clients, seconds, fields, pause
            _quantiles("one version", server.time(*load))
            pushing = Pushing(base, _SWAP_SECONDS)
            pushing.start()
            taken = server.time(*load)
            pushed = pushing.stop()
            answered = len(set.union(*server.versions))
            _quantiles(f"{pushed} pushed, {answered} versions answered", taken)


def _quantiles(what: str, taken: list[float]) -> None:
    p50, p99, largest = 1000 * np.quantile(taken, [0.5, 0.99, 1.0])
    _say(f"| {what} | {len(taken)} | {p50:.1f} | {p99:.1f} | {largest:.1f} |")


def sample_rows(fields: Sequence[str]) -> list[list[str]]:
    """Products of the sample, the same in every run; a title where there is no such column."""
    sample = pd.read_csv(_SAMPLE, dtype=str, keep_default_na=False).sample(frac=1, random_state=0)
    columns = [sample[field if field in sample else "title"] for field in fields]
    return [list(row) for row in zip(*columns, strict=True)]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
