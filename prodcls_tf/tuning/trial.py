"""One trial of a search, a process of its own: what it takes of memory goes with it.

    python -m prodcls_tf.tuning.trial FOLDER

Reads FOLDER/job.json and writes FOLDER/result.json, in one stroke. It ends with the search that
started it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pydantic

from prodcls_tf import progress
from prodcls_tf.errors import ProdclsError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning import processes
from prodcls_tf.tuning.results import Course, Result

JOB, LOG = "job.json", "trial.log"

# The figure of an epoch that goes with an objective; epochs have no others.
_OF_EPOCH = {"accuracy": "val_accuracy"}
_USUAL = "val_macro_f1"


class Job(pydantic.BaseModel):
    """What a trial is to do.

    Attributes:
      settings: all of them, as plain values.
      rows: folder of the rows.
      logs: TensorBoard's folder for this trial.
      number: of the trial, for people.
      values: the settings that it tries, by name.
      others: the trials that it must keep up with.
      workers: trials that are under way at a time.
    """

    settings: dict[str, Any]
    rows: str
    logs: str
    number: str
    values: dict[str, Any]
    others: list[Course] = []
    workers: int = 1


def main(folder: Path) -> int:
    """Runs a trial.

    Args:
      folder: with its job.

    Returns:
      The exit code; a trial that failed for a reason has done its duty.
    """
    job = Job.model_validate_json((folder / JOB).read_text(encoding="utf-8"))
    began = time.monotonic()
    processes.begin()
    with progress.listening(processes.tell):
        try:
            result = _train(job)
        except Exception as error:
            result = Result(status="failed", reason=_reason(error))
    result.seconds, result.workers = round(time.monotonic() - began, 1), job.workers
    result.write(folder)
    return 0


def _train(job: Job) -> Result:
    # Here, so that a job that cannot be read is told at once.
    from prodcls_tf.classifier import ProductClassifier
    from prodcls_tf.tuning.pruning import StopBelow
    from prodcls_tf.tuning.rows import SearchRows
    from prodcls_tf.tuning.watching import values_shown, write_trial

    settings = Settings.parse(job.settings)
    monitor = _OF_EPOCH.get(settings.tuning.objective, _USUAL)
    stopping = StopBelow(monitor, job.others)
    rows = SearchRows.read(Path(job.rows))
    trained = ProductClassifier(settings).fit(
        rows.train, rows.val, log_dir=job.logs, callbacks=[stopping]
    )
    metrics = {
        name: float(value)
        for name, value in trained.metrics["val"].headline().items()
        if name != "rows"
    }
    shown = values_shown(settings, stopping.epochs, trained.model.deep.width)
    write_trial(Path(job.logs), job.number, shown, metrics)
    stopped = stopping.stopped
    return Result(
        status="finished" if stopped is None else "pruned",
        metrics=metrics,
        course=Course(curve=[epoch[monitor] for epoch in trained.history], epochs=stopping.epochs),
        reason="" if stopped is None else f"behind the median after {stopped} epochs",
    )


def _reason(error: Exception) -> str:
    import tensorflow as tf

    if isinstance(error, ProdclsError):
        return str(error)
    first = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError)):
        return f"Out of memory: {first}"
    return f"{type(error).__name__}: {first}"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
