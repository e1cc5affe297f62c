"""Several workers that search together, by KerasTuner's own protocol of a chief and its workers."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pydantic
import tensorflow as tf

from prodcls_tf.errors import TrainingError
from prodcls_tf.progress import report
from prodcls_tf.settings import Settings
from prodcls_tf.tuning import processes

_logger = logging.getLogger(__name__)

JOB = "search.json"
_MODULE = "prodcls_tf.tuning.worker"
_CHIEF = "chief"
# Workers end by themselves when the time is over; those that do not are ended after this long.
_GRACE = 60.0
_LOOK_EVERY = 0.2


class Job(pydantic.BaseModel):
    """What the workers of a search need to know.

    Attributes:
      settings: all of them, as plain values.
      logs: TensorBoard's folder for the search.
      width: of the encoder's states.
      rows: validation rows that the trials are measured on.
      until: when the time of the search is over, by the clock of `time.time`.
    """

    settings: dict[str, Any]
    logs: str
    width: int
    rows: int
    until: float

    @classmethod
    def read(cls, folder: Path) -> Job:
        """Returns what `write` left in the folder of a search."""
        return cls.model_validate_json((folder / JOB).read_text(encoding="utf-8"))

    def write(self, folder: Path) -> None:
        """Writes it to the folder of a search, in one stroke."""
        part = folder / f"{JOB}.part"
        part.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        part.replace(folder / JOB)


def run(folder: Path, job: Job) -> None:
    """Runs the trials of a search by several workers, each a process, and a chief.

    A worker that is killed takes its trial with it; the others go on.

    Args:
      folder: of the search; all workers see it.
      job: what they are to do.

    Raises:
      TrainingError: a worker gave up because its trials failed, all of them were lost, or the
        chief was.
    """
    tuning = Settings.parse(job.settings).tuning
    job.write(folder)
    logs = folder / "workers"
    logs.mkdir(exist_ok=True)
    shared = _address(tuning.chief)
    with ExitStack() as stack:

        def start(name: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
            given = {**shared, **environment, "KERASTUNER_TUNER_ID": name}
            return stack.enter_context(
                processes.started(_MODULE, folder, logs / f"{name}.log", given)
            )

        chief = start(_CHIEF, {"CUDA_VISIBLE_DEVICES": ""})
        crew = {
            f"worker{number}": start(f"worker{number}", environment)
            for number, environment in enumerate(_shares(tuning.workers))
        }
        for worker in crew.values():
            stack.enter_context(_passing_on(worker))
        _wait(chief, crew, job.until + _GRACE, logs)
    _judge(crew, logs)


def _wait(
    chief: subprocess.Popen[str],
    crew: Mapping[str, subprocess.Popen[str]],
    until: float,
    logs: Path,
) -> None:
    """Waits until all workers have ended, one has given up, or the time is over."""
    while any(worker.poll() is None for worker in crew.values()) and time.time() < until:
        # A chief that has handed out all trials ends before the last worker does.
        if chief.poll():
            raise TrainingError(
                "Workers need a chief that hands out trials. Received one that ended: "
                f"{processes.last_words(chief.returncode, logs / f'{_CHIEF}.log')} Check that the "
                "address of tuning.chief is this machine's and free, and start it again."
            )
        if any(worker.poll() == processes.GAVE_UP for worker in crew.values()):
            return
        time.sleep(_LOOK_EVERY)


def _judge(crew: Mapping[str, subprocess.Popen[str]], logs: Path) -> None:
    lost = []
    for name, worker in crew.items():
        if worker.returncode == processes.GAVE_UP:
            raise TrainingError((logs / f"{name}.log").read_text("utf-8").splitlines()[-1])
        if worker.returncode:
            lost.append(f"{name}: {processes.last_words(worker.returncode, logs / f'{name}.log')}")
    if len(lost) == len(crew):
        raise TrainingError(
            f"A search needs a worker that goes on. Received {len(lost)} of {len(crew)} that "
            f"ended, such as {lost[0]} Start it again: finished trials are kept."
        )
    for one in lost:
        _logger.warning("a worker of the search was lost, %s", one)
        report(f"lost {one}", 1, 1)


@contextmanager
def _passing_on(worker: subprocess.Popen[str]) -> Iterator[None]:
    reader = threading.Thread(target=processes.pass_on, args=(worker,), daemon=True)
    reader.start()
    try:
        yield
    finally:
        worker.terminate()
        reader.join(_GRACE)


def _address(chief: str) -> dict[str, str]:
    """The chief's address, as KerasTuner reads it from the environment."""
    host, _, port = chief.rpartition(":")
    if port == "0":
        with socket.socket() as probe:
            probe.bind((host, 0))
            port = str(probe.getsockname()[1])
    return {"KERASTUNER_ORACLE_IP": host, "KERASTUNER_ORACLE_PORT": port}


def _shares(workers: int) -> Iterator[dict[str, str]]:
    """What each worker has of this machine: a GPU where there are some, else some of the cores."""
    gpus = _gpus()
    cores = str(max(1, (os.cpu_count() or 1) // workers))
    for number in range(workers):
        if gpus:
            yield {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]}
        else:
            yield {"TF_NUM_INTRAOP_THREADS": cores, "OMP_NUM_THREADS": cores}


def _gpus() -> list[str]:
    """The names by which the GPUs that this process may use are known to CUDA."""
    count = len(tf.config.list_physical_devices("GPU"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return visible if len(visible) == count else [str(number) for number in range(count)]
