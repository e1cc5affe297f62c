"""What waits in a queue of the batch scheduler: requests, and the batch they will run in."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Optional

import numpy as np
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from serving.server.servable import Servable
from serving.server.status import Code, ServingError


class Task:
    """A request in a batch. One thread waits for it, another one answers it, once.

    Args:
      inputs: by alias.
      size: their rows.
      deadline: on the clock of `time.monotonic`; None for none.

    Attributes:
      batch: that it will run in; set when it is queued.
    """

    __slots__ = ("_answer", "_done", "batch", "deadline", "inputs", "size")

    def __init__(
        self, inputs: Mapping[str, np.ndarray], size: int, deadline: Optional[float]
    ) -> None:
        self.inputs = inputs
        self.size = size
        self.deadline = deadline
        self.batch: Batch
        self._answer: dict[str, np.ndarray] | ServingError | None = None
        # Held until the answer is there: the cheapest thing that a thread can wait for.
        self._done = threading.Lock()
        self._done.acquire()

    def expired(self, now: float) -> bool:
        """Whether its deadline has passed."""
        return self.deadline is not None and self.deadline <= now

    def wait(self) -> bool:
        """Waits for the answer; False if the deadline passed before it came."""
        if self.deadline is None:
            return self._done.acquire()
        left = max(0.0, self.deadline - time.monotonic())
        return self._done.acquire(timeout=min(left, threading.TIMEOUT_MAX))

    def finish(self, outputs: dict[str, np.ndarray]) -> None:
        """Answers it."""
        self._answer = outputs
        self._done.release()

    def fail(self, code: Code, message: str) -> None:
        """Answers it with an error, unless it was answered."""
        if self._answer is None:
            # One for each task, without the traceback of the thread that runs the batch: that would
            # keep the whole batch in memory.
            self._answer = ServingError(code, message)
            self._done.release()

    def result(self) -> dict[str, np.ndarray]:
        """Returns the outputs, or raises the error, once, after it was answered."""
        answer, self._answer = self._answer, {}
        if not isinstance(answer, ServingError):
            return answer or {}
        try:
            raise answer
        finally:
            # An error that its own traceback refers to would wait for the garbage collector.
            del answer


class Batch:
    """Alike requests that will run together.

    Attributes:
      tasks: in the order they came.
      size: rows of all tasks.
      key: of the queue that it is in.
      due: when it may start, on the clock of `time.monotonic`.
      started: whether it has left its queue; from then on its tasks do not change.
    """

    __slots__ = (
        "due", "key", "outputs", "servable", "signature", "signature_key", "size", "started",
        "tasks",
    )  # fmt: skip

    def __init__(
        self,
        servable: Servable,
        signature_key: str,
        signature: SignatureDef,
        outputs: Sequence[str],
    ) -> None:
        self.servable = servable
        self.signature_key = signature_key
        self.signature = signature
        self.outputs = outputs
        self.tasks: list[Task] = []
        self.size = 0
        self.key: Hashable = None
        self.due = 0.0
        self.started = False

    def add(self, task: Task) -> None:
        """Takes a task in."""
        self.tasks.append(task)
        self.size += task.size
        task.batch = self

    def discard(self, task: Task) -> None:
        """Lets a task go that nobody waits for any more."""
        self.tasks.remove(task)
        self.size -= task.size

    def fail(self, code: Code, message: str) -> None:
        """Answers all tasks that have no answer yet with an error."""
        for task in self.tasks:
            task.fail(code, message)
