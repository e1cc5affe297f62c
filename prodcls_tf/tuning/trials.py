"""Runs the trials of a search, each in a process of its own, and keeps their results on disk."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from prodcls_tf.errors import OutputError
from prodcls_tf.progress import report
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.pruning import bars
from prodcls_tf.tuning.trial import JOB, LOG, Job, Result

# The trial of the settings as they are; the others bear numbers.
DEFAULTS = "defaults"
# Trials are compared by their figures; a picture of the rows each would fill the disk.
_QUIET = {"tensorboard.embeddings": False, "tensorboard.profile_steps": 0}


@dataclass(frozen=True)
class Tried:
    """One trial.

    Attributes:
      number: of the trial; `defaults` for the settings as they were.
      values: the settings that it tried, by name.
      result: what came of it.
    """

    number: str
    values: Mapping[str, Any]
    result: Result


class OutOfTimeError(Exception):
    """The time of the search was over before the trial was."""


class Trials:
    """The trials of a search.

    Args:
      folder: of the search; holds `rows/`, and gets `trials/`.
      logs: TensorBoard's folder of the search; a trial's logs go below it.
      settings: from which a trial departs by its values.

    Example:
      >>> trials = Trials(folder, logs, settings)  # doctest: +SKIP
      >>> trials.run("07", {"training.epochs": 3}, seconds=600).status  # doctest: +SKIP
      'finished'
    """

    def __init__(self, folder: Path, logs: Path, settings: Settings) -> None:
        self._folder, self._logs = folder, logs
        self._prune = settings.tuning.prune
        self._settings = settings

    def run(self, number: str, values: Mapping[str, Any], seconds: float) -> Result:
        """Runs a trial, or takes its result where there is one.

        Args:
          number: of the trial.
          values: the settings that it tries, by name.
          seconds: after which it is stopped.

        Returns:
          What came of it; a process that ended without a word has failed.

        Raises:
          OutOfTimeError: it was stopped. Nothing is kept of it.
          OutputError: its folder cannot be written.
        """
        folder = self._folder / "trials" / number
        known = Result.read(folder)
        # A failure may have had a cause that is gone.
        if known is not None and known.status != "failed" and self.values(number) == values:
            return known
        for old in (folder, self._logs / number):
            shutil.rmtree(old, ignore_errors=True)
        job = self._job(number, values).model_dump_json(indent=1)
        try:
            folder.mkdir(parents=True)
            (folder / JOB).write_text(job, encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"A search needs a folder that can be written. Received {folder}: {error}. Check "
                "permissions and free space, or name another one."
            ) from None
        began = time.monotonic()
        code = _run(folder, f"trial {number}", seconds)
        result = Result.read(folder)
        if result is None:
            took = round(time.monotonic() - began, 1)
            result = Result(status="failed", reason=_end(code, folder), seconds=took)
            result.write(folder)
        return result

    def results(self) -> dict[str, Result]:
        """Returns the results so far, by number."""
        folders = sorted((self._folder / "trials").glob("*"))
        found = {folder.name: Result.read(folder) for folder in folders}
        return {number: result for number, result in found.items() if result is not None}

    @property
    def defaults(self) -> Optional[Result]:
        """The result of the settings as they are; None before there is one."""
        return Result.read(self._folder / "trials" / DEFAULTS)

    @property
    def seconds(self) -> float:
        """What the trials took so far, those of a search that was killed with them."""
        return sum(result.seconds for result in self.results().values())

    def values(self, number: str) -> dict[str, Any]:
        """Returns what a trial tried."""
        job = self._folder / "trials" / number / JOB
        return Job.model_validate_json(job.read_text(encoding="utf-8")).values

    def _job(self, number: str, values: Mapping[str, Any]) -> Job:
        others = [
            result.curve
            for other, result in self.results().items()
            if result.status == "finished" and other != number
        ]
        return Job(
            settings=self._settings.with_values({**values, **_QUIET}).model_dump(mode="json"),
            rows=str(self._folder / "rows"),
            logs=str(self._logs / number),
            number=number,
            values=dict(values),
            bars=bars(others) if self._prune and number != DEFAULTS else [],
        )


def _run(folder: Path, called: str, seconds: float) -> int:
    """Runs the process of a trial and passes on its progress; returns its exit code."""
    with (folder / LOG).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prodcls_tf.tuning.trial", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "TF_FORCE_GPU_ALLOW_GROWTH": "true"},
        )
    with _ended(process), _stopped_after(process, seconds) as over:
        assert process.stdout is not None
        report(called, 0, 1)
        for line in process.stdout:
            _pass_on(line, called)
        code = process.wait()
    if over.is_set() and code:
        raise OutOfTimeError
    report(called, 1, 1)
    return code


def _pass_on(line: str, called: str) -> None:
    """Reports what a line of the trial tells; libraries may print others."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        told = json.loads(line)
        report(f"{called}: {told['task']}", told["done"], told["total"], told["detail"])


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Leaves no process behind, whatever happens."""
    try:
        yield
    finally:
        process.kill()
        process.communicate()


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


def _end(code: int, folder: Path) -> str:
    """Why a process has left no result."""
    if code < 0:
        hint = " The system may have run out of memory." if code == -9 else ""
        return f"Its process was ended by signal {-code}.{hint}"
    lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last: Optional[str] = lines[-1] if lines else None
    return f"Its process ended with exit code {code}: {last or 'it said nothing'}"
