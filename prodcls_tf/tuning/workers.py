"""Several workers that search together, by KerasTuner's own protocol of a chief and its workers."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Optional

import pydantic

from prodcls_tf.errors import SettingsError, TrainingError
from prodcls_tf.progress import report
from prodcls_tf.settings import Settings
from prodcls_tf.tuning import processes
from prodcls_tf.tuning.space import TuningSettings

_logger = logging.getLogger(__name__)

# Who a worker is and where its chief listens, as KerasTuner reads it from the environment.
NAME, HOST, PORT = "KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"

_ORDERS, _LOGS = "orders.json", "workers"
_MODULE = "prodcls_tf.tuning.worker"
_CHIEF = "chief"
# Workers end by themselves when the time is over; those that do not are ended after this long.
GRACE = 60.0
# A chief that has handed out all trials ends; a worker that comes later finds none, and is ended.
_LATE = 10.0
# A worker that is lost is started again; one that is lost so often will not get better by itself.
_MOST_STARTS = 3
_LOOK_EVERY = 0.2


class Orders(pydantic.BaseModel):
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
    def read(cls, folder: Path) -> Orders:
        """Returns what `write` left in the folder of a search."""
        return cls.model_validate_json((folder / _ORDERS).read_text(encoding="utf-8"))

    def write(self, folder: Path) -> None:
        """Writes them to the folder of a search, in one stroke."""
        part = folder / f"{_ORDERS}.part"
        part.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        part.replace(folder / _ORDERS)


def alone(tuning: TuningSettings) -> bool:
    """Whether no other worker can come: one was asked for, and others know no address."""
    return tuning.workers == 1 and not _known_to_others(tuning)


def check_address(tuning: TuningSettings) -> None:
    """Refuses an address at which no chief could listen, before anything is trained.

    Raises:
      SettingsError: it is none of this machine, or it is in use.
    """
    if not alone(tuning):
        _address(tuning.chief)


def run(folder: Path, orders: Orders) -> None:
    """Runs the trials of a search by several workers, each a process, and a chief.

    A worker that is lost is started again and takes up its trial.

    Args:
      folder: of the search; all workers see it.
      orders: what they are to do.

    Raises:
      SettingsError: the chief cannot listen at its address.
      TrainingError: a worker gave up because its trials failed, one was lost again and again, or
        the chief was.
    """
    tuning = Settings.parse(orders.settings).tuning
    address = _address(tuning.chief)
    orders.write(folder)
    (folder / _LOGS).mkdir(exist_ok=True)
    with ExitStack() as stack:
        chief = _Member(folder, _CHIEF, {**address, "CUDA_VISIBLE_DEVICES": ""}, stack)
        crew = [
            _Member(folder, f"worker{number}", {**address, **share}, stack)
            for number, share in enumerate(_shares(tuning.workers))
        ]
        others_may_come = _known_to_others(tuning)
        if others_may_come:
            report(f"other workers may come to {tuning.chief}, for {folder}", 1, 1)
        _wait(chief, crew, orders.until + GRACE, others_may_come=others_may_come)


def gives_up(folder: Path, name: str, reason: str) -> int:
    """Keeps why a worker gives up.

    Args:
      folder: of the search.
      name: of the worker.
      reason: in words for a person.

    Returns:
      The exit code for it.
    """
    _reason(folder, name).write_text(reason, encoding="utf-8")
    return processes.GAVE_UP


class _Member:
    """A process of the crew, started again where it is lost."""

    def __init__(
        self, folder: Path, name: str, environment: dict[str, str], stack: ExitStack
    ) -> None:
        self.name = name
        self._folder, self._stack = folder, stack
        self._environment = {**environment, NAME: name}
        self._log = folder / _LOGS / f"{name}.log"
        self._starts = 0
        self._process = self._start()

    @property
    def code(self) -> Optional[int]:
        """The exit code; None while it is at work."""
        return self._process.poll()

    def look_after(self) -> None:
        """Starts the process again if it was lost.

        Raises:
          TrainingError: it gave up, or was lost too often.
        """
        if not self.code:
            return
        if self.code == processes.GAVE_UP:
            raise TrainingError(_reason(self._folder, self.name).read_text(encoding="utf-8"))
        why = processes.last_words(self.code, self._log)
        if self._starts >= _MOST_STARTS:
            raise TrainingError(
                f"A worker of a search must go on. Received {self.name}, which was lost "
                f"{self._starts} times. {why} Start the search again: finished trials are kept."
            )
        _logger.warning("%s of the search was lost and is started again. %s", self.name, why)
        report(f"{self.name} was lost and is started again", 1, 1)
        self._process = self._start()

    def why(self) -> str:
        """Says why it ended."""
        return processes.last_words(self.code or 0, self._log)

    def _start(self) -> subprocess.Popen[str]:
        self._starts += 1
        process = self._stack.enter_context(
            processes.started(_MODULE, self._folder, self._log, self._environment)
        )
        threading.Thread(target=processes.pass_on, args=(process,), daemon=True).start()
        return process


def _wait(chief: _Member, crew: list[_Member], until: float, *, others_may_come: bool) -> None:
    """Waits until all trials are done, or the time is over."""
    ended = None
    while time.time() < until:
        if chief.code:
            raise TrainingError(
                "Workers need a chief that hands out trials. Received one that ended. "
                f"{chief.why()} Start the search again: finished trials are kept."
            )
        if chief.code == 0:
            ended = ended or time.time()
            if time.time() - ended > _LATE:
                return
        else:
            for worker in crew:
                worker.look_after()
        if all(worker.code == 0 for worker in crew) and (ended or not others_may_come):
            return
        time.sleep(_LOOK_EVERY)


def _known_to_others(tuning: TuningSettings) -> bool:
    """Whether the chief's port is fixed, so that workers of other machines can be told of it."""
    return int(tuning.chief.rpartition(":")[2]) != 0


def _address(chief: str) -> dict[str, str]:
    """The chief's address, as KerasTuner reads it from the environment."""
    host, _, port = chief.rpartition(":")
    try:
        with socket.socket() as probe:
            probe.bind((host, int(port)))
            port = str(probe.getsockname()[1])
    except (OSError, OverflowError) as error:
        raise SettingsError(
            "A chief listens at an address of this machine, at a port that is free. Received "
            f"tuning.chief of {chief}: {error}. Name another one, or leave it out."
        ) from None
    # gRPC would ask a proxy for it.
    return {HOST: host, PORT: port, "no_grpc_proxy": host}


def _reason(folder: Path, name: str) -> Path:
    return folder / _LOGS / f"{name}.reason"


def _shares(workers: int) -> Iterator[dict[str, str]]:
    """What each worker has of this machine: a GPU where there are some, else some of the cores."""
    import tensorflow as tf

    gpus = gpu_names(len(tf.config.list_physical_devices("GPU")))
    cores = str(max(1, (os.cpu_count() or 1) // workers))
    for number in range(workers):
        if gpus:
            yield {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]}
        else:
            yield {"TF_NUM_INTRAOP_THREADS": cores, "OMP_NUM_THREADS": cores}


def gpu_names(count: int) -> list[str]:
    """Returns the names by which CUDA knows the GPUs that this process may use.

    Args:
      count: how many there are.
    """
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return visible if len(visible) == count else [str(number) for number in range(count)]
