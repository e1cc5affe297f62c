"""Writes a resumable output in a process that is killed at its n-th step, for every n.

A step is a call that changes the disk. After each kill a second process goes on; what it ends with
must be, byte for byte, what one process writes that nobody kills. Prints how many kills it was.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from prodcls_tf.cli import journal, resuming
from prodcls_tf.cli.whole_rows import WholeRow
from prodcls_tf.data.reading import Row

# Every chunk is made safe, so that every order of events occurs.
resuming._KEPT_EVERY = -1.0

ROWS = [
    WholeRow(Row((f"title {n}",), "", "in.csv", n), ["title", "n"], [f"title {n}", f"é\n{n}"])
    for n in range(23)
]


def write_all(output: Path) -> None:
    with resuming.resuming(output, 1, {"k": "1"}) as part:
        left = part.unwritten(iter(ROWS))
        while chunk := list(itertools.islice(left, 5)):
            part.add([(row, [(f"A > {row.row.line}", 0.5)], 3) for row in chunk])


class KilledAt:
    """Kills this process before or after the n-th step."""

    def __init__(self, step: int, after: bool) -> None:
        self._step, self._after, self._seen = step, after, 0

    def watch(self, holder: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(holder, name)

        def stepping(*arguments: Any, **options: Any) -> Any:
            self._seen += 1
            now = self._seen == self._step
            if now and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **options)
            if now:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(holder, name, stepping)


def in_a_process(output: Path, step: Optional[int], after: bool = False) -> bool:
    """Returns whether it was killed."""
    child = os.fork()
    if not child:
        if step is not None:
            killed = KilledAt(step, after)
            killed.watch(os, "fsync")
            killed.watch(os, "open")
            killed.watch(Path, "replace")
            killed.watch(Path, "unlink")
            killed.watch(journal.Journal, "write")
            killed.watch(resuming.Part, "add")
        write_all(output)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


def main(folder: Path) -> None:
    right = folder / "right.csv"
    in_a_process(right, None)
    kills = 0
    for after in (False, True):
        step = 0
        while True:
            step += 1
            output = folder / f"{after}-{step}.csv"
            if not in_a_process(output, step, after):
                break
            kills += 1
            # The one that goes on is killed as well, before a third one ends it.
            in_a_process(output, 4, after)
            in_a_process(output, None)
            assert output.read_bytes() == right.read_bytes(), (step, after)
            left = [path.name for path in folder.iterdir() if path.suffix != ".csv"]
            assert not left, (step, after, left)
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
