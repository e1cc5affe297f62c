"""Runs the trials of a search, each in a process of its own, and keeps their results on disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from prodcls_tf.errors import OutputError
from prodcls_tf.progress import report
from prodcls_tf.settings import Settings
from prodcls_tf.tuning import processes
from prodcls_tf.tuning.results import Result, is_repetition
from prodcls_tf.tuning.trial import JOB, LOG, Job

# Trials are compared by their figures; a picture of the rows each would fill the disk.
_QUIET: Mapping[str, Any] = {"tensorboard.embeddings": False, "tensorboard.profile_steps": 0}

# Where several trials share a GPU's host, each takes only what it needs.
_ENVIRONMENT = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}


class Trials:
    """The trials of a search.

    Args:
      folder: of the search; holds `rows/`, and gets `trials/`.
      logs: TensorBoard's folder of the search; a trial's logs go below it.
      settings: from which a trial departs by its values.

    Attributes:
      logs: TensorBoard's folder of the search.

    Example:
      >>> trials = Trials(folder, logs, settings)  # doctest: +SKIP
      >>> trials.run("07", {"training.epochs": 3}, seconds=600).status  # doctest: +SKIP
      'finished'
    """

    def __init__(self, folder: Path, logs: Path, settings: Settings) -> None:
        self._folder, self.logs = folder, logs
        # Hyperband has rungs of its own.
        self._prune = settings.tuning.prune and settings.tuning.algorithm != "hyperband"
        self._objective = settings.tuning.objective
        self._settings = settings

    def run(
        self,
        number: str,
        values: Mapping[str, Any],
        seconds: float,
        *,
        whole: bool = False,
        workers: int = 1,
    ) -> Result:
        """Runs a trial, or takes its result where there is one.

        Args:
          number: of the trial.
          values: the settings that it tries, by name.
          seconds: after which it is stopped.
          whole: whether it runs to its end, however bad it is.
          workers: trials that are under way at a time.

        Returns:
          What came of it; a process that ended without a word has failed.

        Raises:
          processes.OutOfTimeError: it was stopped. Nothing is kept of it.
          OutputError: its folder cannot be written.
        """
        folder = self._folder / "trials" / number
        known = Result.read(folder)
        # A failure may have had a cause that is gone.
        if known is not None and known.status != "failed" and self.values(number) == values:
            return known
        for old in (folder, self.logs / number):
            shutil.rmtree(old, ignore_errors=True)
        job = self._job(number, values, whole, workers).model_dump_json(indent=1)
        try:
            folder.mkdir(parents=True)
            (folder / JOB).write_text(job, encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"A search needs a folder that can be written. Received {folder}: {error}. Check "
                "permissions and free space, or name another one."
            ) from None
        called, log, began = f"trial {number}", folder / LOG, time.monotonic()
        report(called, 0, 1)
        code = processes.run_module(
            "prodcls_tf.tuning.trial", folder, log, seconds, called, _ENVIRONMENT
        )
        result = Result.read(folder)
        if result is None:
            took = round(time.monotonic() - began, 1)
            reason = processes.last_words(code, log)
            result = Result(status="failed", reason=reason, seconds=took, workers=workers)
            result.write(folder)
        report(called, 1, 1, self._remark(result))
        return result

    def results(self) -> dict[str, Result]:
        """Returns the results so far, by number."""
        folders = sorted((self._folder / "trials").glob("*"))
        found = {folder.name: Result.read(folder) for folder in folders}
        return {number: result for number, result in found.items() if result is not None}

    @property
    def seconds(self) -> float:
        """What the search took so far, by the clock on the wall."""
        return sum(result.seconds / result.workers for result in self.results().values())

    def values(self, number: str) -> Optional[dict[str, Any]]:
        """Returns what a trial tried; None if that is not known."""
        job = self._folder / "trials" / number / JOB
        try:
            return Job.model_validate_json(job.read_text(encoding="utf-8")).values
        except (OSError, ValueError):
            return None

    def _remark(self, result: Result) -> str:
        if result.status == "failed":
            return f"failed: {result.reason}"
        figure = f"{self._objective} {result.metrics[self._objective]:.4f}"
        return figure if result.status == "finished" else f"{figure}, stopped early"

    def _job(self, number: str, values: Mapping[str, Any], whole: bool, workers: int) -> Job:
        others = [
            result.course
            for other, result in self.results().items()
            if result.status == "finished" and other != number and not is_repetition(other)
        ]
        watched = {
            **_QUIET,
            "wandb.group": self._settings.wandb.group or f"search {self._folder.name}",
            "wandb.name": f"trial {number}",
        }
        return Job(
            settings=self._settings.with_values({**values, **watched}).model_dump(mode="json"),
            rows=str(self._folder / "rows"),
            logs=str(self.logs / number),
            number=number,
            values=dict(values),
            others=others if self._prune and not whole else [],
            workers=workers,
        )
