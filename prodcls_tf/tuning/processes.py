"""Processes of a search: their progress reaches the one that started them, and none outlives it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Optional

from prodcls_tf.progress import Event, report

# The exit code of a process that ended for a reason, which stands on stderr.
GAVE_UP = 2
# Tells a process that it has a starter whose end is its own.
_STARTED = "PRODCLS_STARTED"
# How long a process may take to end its own processes when it is told to end.
_GRACE = 5.0


class OutOfTimeError(Exception):
    """A process was stopped because its time was over."""


@contextlib.contextmanager
def started(
    module: str, folder: Path, log: Path, environment: Optional[Mapping[str, str]] = None
) -> Iterator[subprocess.Popen[str]]:
    """Starts a module of this package in a process of its own; it ends with the `with` block.

    The module calls `begin` first.

    Args:
      module: its full name.
      folder: its only argument.
      log: file for what it writes to stderr; overwritten.
      environment: variables that it gets beside those of this process.

    Yields:
      The process, whose stdout carries its progress, see `pass_on`.
    """
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder)],
            # Never written to: its end tells the process that this one is gone.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            errors="replace",
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **(environment or {}), _STARTED: "1"},
        )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def run_module(
    module: str,
    folder: Path,
    log: Path,
    seconds: float,
    called: str = "",
    environment: Optional[Mapping[str, str]] = None,
) -> int:
    """Runs a module of this package in a process of its own, to its end.

    Args:
      module: its full name.
      folder: its only argument.
      log: file for what it writes to stderr; overwritten.
      seconds: after which it is stopped.
      called: see `pass_on`.
      environment: variables that it gets beside those of this process.

    Returns:
      Its exit code; negative for a signal.

    Raises:
      OutOfTimeError: it was stopped.
    """
    with (
        started(module, folder, log, environment) as process,
        _stopped_after(process, seconds) as over,
    ):
        pass_on(process, called)
        code = process.wait()
    if over.is_set() and code:
        raise OutOfTimeError
    return code


def pass_on(process: subprocess.Popen[str], called: str = "") -> None:
    """Reports what a process tells until it ends.

    Args:
      process: that was `started`.
      called: the one task that all of its own are details of; '' where they stand for themselves.
    """
    assert process.stdout is not None
    for line in process.stdout:
        # Libraries may print lines of their own.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(line)
            task, done, total, detail = (told[n] for n in ("task", "done", "total", "detail"))
            if called:
                share = f" {100 * done // total}%" if total and total > 1 else ""
                task, done, total, detail = called, 0, 1, f"{task}{share}  {detail}".rstrip()
            report(task, done, total, detail)


def begin() -> None:
    """Makes this process end when the one that `started` it is gone."""
    if _STARTED not in os.environ:
        return

    def wait_for_the_end() -> None:
        # Not through sys.stdin: its lock, held here, would spoil the end of the interpreter.
        os.read(sys.stdin.fileno(), 1)
        os._exit(1)

    threading.Thread(target=wait_for_the_end, daemon=True).start()


def tell(event: Event) -> None:
    """Tells progress to the process that runs this one; for `progress.listening`."""
    told = {"task": event.task, "done": event.done, "total": event.total, "detail": event.detail}
    # In one piece: several threads may tell.
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def last_words(code: int, log: Path) -> str:
    """Says why a process ended, for one that did not say so itself."""
    if code < 0:
        hint = " The system may have run out of memory." if code == -9 else ""
        return f"Its process was ended by signal {-code}.{hint}"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = lines[-1] if lines else "it said nothing"
    return f"Its process ended with exit code {code}: {last}"


@contextlib.contextmanager
def _stopped_after(process: subprocess.Popen[str], seconds: float) -> Iterator[threading.Event]:
    over = threading.Event()

    def stop() -> None:
        over.set()
        process.kill()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
