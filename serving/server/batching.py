"""Several requests in one run of the model, and how requests come to run at all.

A request that finds a free slot and nobody waiting runs at once in the thread it came in: a quiet
server pays no hand-over. Under load, worker threads take the batches; a worker goes from one to the
next without a pause, while those that it served write their answers.
"""

from __future__ import annotations

import bisect
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Optional, Protocol

import numpy as np
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from serving.server.batch import Batch, Task
from serving.server.config import BatchingParameters
from serving.server.merging import likeness, merge, split
from serving.server.requests import batch_size
from serving.server.servable import Servable, ServableId
from serving.server.status import Code, ServingError, from_tensorflow

logger = logging.getLogger(__name__)

# Failures that would not go away if each request ran alone.
_SHARED_FAILURES = frozenset({Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE, Code.CANCELLED})
_EXPIRED = "Run() timeout exceeded while waiting in batching queue"
_CLOSED = "The server is shutting down. Ask another one."


class Runner(Protocol):
    """Runs a request that was checked against its signature.

    Args:
      servable: the version, which the caller keeps loaded.
      signature_key: the name of the signature.
      signature: what that name stands for.
      inputs: all inputs by alias.
      outputs: the aliases of the wanted outputs.
      deadline: on the clock of `time.monotonic`; None for none.

    Returns:
      The outputs by alias.

    Raises:
      ServingError: the model failed, the deadline passed, or there is no room.
    """

    def __call__(
        self,
        servable: Servable,
        signature_key: str,
        signature: SignatureDef,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        deadline: Optional[float],
        /,
    ) -> dict[str, np.ndarray]:
        """Runs it; see the class."""


class DirectRunner:
    """Runs each request by itself, at once, in the thread it came in.

    A request whose deadline has passed is not run.
    """

    def __call__(
        self,
        servable: Servable,
        signature_key: str,
        signature: SignatureDef,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        deadline: Optional[float],
    ) -> dict[str, np.ndarray]:
        """As in `Runner`."""
        return servable.run(signature, inputs, outputs, deadline)


class BatchScheduler:
    """A Runner that merges requests, by TF Serving's parameters and with its messages.

    There is a bounded queue for each version, signature, choice of outputs and kind of rows, for as
    long as something waits in it; the queues take turns.

    Args:
      parameters: sizes, times and threads.
      run: what runs a batch.

    Example:
      >>> scheduler = BatchScheduler(BatchingParameters(max_batch_size=32))
      >>> scheduler.close()
    """

    def __init__(self, parameters: BatchingParameters, run: Optional[Runner] = None) -> None:
        self._parameters = parameters
        self._run: Runner = run or DirectRunner()
        self._timeout = parameters.batch_timeout_micros / 1e6
        self._pad_lengths = parameters.pad_variable_length_inputs
        # Guards all that follows; a worker that waits on it waits for a batch and a free slot.
        self._changed = threading.Condition()
        self._queues: OrderedDict[Hashable, deque[Batch]] = OrderedDict()
        self._running = 0
        self._closed = False
        self._workers = [
            threading.Thread(target=self._work, name=f"batching-{number}", daemon=True)
            for number in range(parameters.num_batch_threads)
        ]
        for worker in self._workers:
            worker.start()

    def __call__(
        self,
        servable: Servable,
        signature_key: str,
        signature: SignatureDef,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        deadline: Optional[float],
    ) -> dict[str, np.ndarray]:
        """As in `Runner`; waits for room in a batch, at most until the deadline.

        Raises:
          ServingError: UNAVAILABLE, the queue is full or the scheduler closed; INVALID_ARGUMENT,
            there are more rows than a batch may have; RESOURCE_EXHAUSTED, the deadline passed in
            the queue for the whole batch; else what the model raises.
        """
        size = batch_size(inputs)
        if size > self._parameters.max_batch_size:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Task size {size} is larger than maximum input batch size "
                f"{self._parameters.max_batch_size}. Send the rows in several requests.",
            )
        if size == 0:
            return self._run(servable, signature_key, signature, inputs, outputs, deadline)
        task = Task(inputs, size, deadline)
        if task.expired(time.monotonic()):
            raise ServingError(Code.DEADLINE_EXCEEDED, _EXPIRED)
        outputs = tuple(sorted(outputs))
        alike = likeness(inputs, pad_lengths=self._pad_lengths)
        batch = Batch(servable, signature_key, signature, outputs)
        taken = self._submit(task, batch, (servable, signature_key, outputs, alike))
        if taken is not None:
            self._process(taken)
        elif not task.wait():
            raise self._give_up(task)
        return task.result()

    def forget(self, id: ServableId) -> None:  # noqa: A002
        """Drops what waits for a version that is being unloaded.

        Args:
          id: of the version. Requests that wait for it get UNAVAILABLE; a registry that drains a
            version before it unloads it leaves none.
        """
        self._drop(lambda batch: batch.servable.id == id, f"Servable {id} was unloaded. Ask again.")

    def close(self, timeout: float = 30.0) -> None:
        """Runs what waits, refuses what comes, and ends the threads.

        Args:
          timeout: seconds, after which what still waits gets UNAVAILABLE.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        end = time.monotonic() + timeout
        for worker in self._workers:
            worker.join(max(0.0, end - time.monotonic()))
        self._drop(lambda batch: True, _CLOSED)

    def _drop(self, chosen: Callable[[Batch], bool], message: str) -> None:
        with self._changed:
            waiting = [batch for queue in self._queues.values() for batch in queue]
            dropped = [batch for batch in waiting if chosen(batch)]
            for batch in dropped:
                self._remove(batch)
        for batch in dropped:
            batch.fail(Code.UNAVAILABLE, message)

    def _submit(self, task: Task, batch: Batch, key: Hashable) -> Optional[Batch]:
        """Queues a task, in a batch that has room or else in `batch`.

        Returns:
          The batch with the task in it, if the calling thread is to run it; else None.
        """
        now = time.monotonic()
        with self._changed:
            if self._closed:
                raise ServingError(Code.UNAVAILABLE, _CLOSED)
            queue = self._queues.get(key)
            if queue is not None and queue[-1].size + task.size <= self._parameters.max_batch_size:
                batch, added = queue[-1], False
            else:
                self._append(batch, key, now)
                added = True
            batch.add(task)
            full = batch.size >= self._parameters.max_batch_size
            if full:
                batch.due = now
            if self._running >= len(self._workers):
                # Whoever ends a run looks at the queues.
                return None
            if self._ready(now) is batch:
                self._start(batch)
                return batch
            if added or full:
                self._changed.notify()
            return None

    def _append(self, batch: Batch, key: Hashable, now: float) -> None:
        """Puts a batch at the end of its queue, which ends the wait of the one before it."""
        queue = self._queues.get(key)
        waiting, limit = len(queue or ()), self._parameters.max_enqueued_batches
        if waiting >= limit:
            raise ServingError(
                Code.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full; "
                f"{waiting} batches wait of at most {limit}. Try again later.",
            )
        if queue is None:
            queue = self._queues[key] = deque()
        else:
            queue[-1].due = now
        batch.key, batch.due = key, now + self._timeout
        queue.append(batch)

    def _ready(self, now: float) -> Optional[Batch]:
        """The batch whose turn it is, if one is due."""
        return next(
            (queue[0] for queue in self._queues.values() if queue[0].due <= now or self._closed),
            None,
        )

    def _start(self, batch: Batch) -> None:
        """Takes a batch out of its queue, whose next turn is after all others'."""
        self._running += 1
        self._remove(batch)
        if batch.key in self._queues:
            self._queues.move_to_end(batch.key)
        # Whoever takes a batch may have been the one to watch over the others.
        if self._queues and self._running < len(self._workers):
            self._changed.notify()

    def _remove(self, batch: Batch) -> None:
        batch.started = True
        queue = self._queues[batch.key]
        queue.remove(batch)
        if not queue:
            del self._queues[batch.key]

    def _work(self) -> None:
        while True:
            with self._changed:
                batch = self._next()
            if batch is None:
                return
            self._process(batch)
            # Nothing of a batch stays in memory while the next one is waited for.
            del batch

    def _next(self) -> Optional[Batch]:
        """Waits for a batch to run; None when there will be no more."""
        while True:
            now = time.monotonic()
            free = self._running < len(self._workers)
            batch = self._ready(now) if free else None
            if batch is not None:
                self._start(batch)
                return batch
            if self._closed and not self._queues:
                return None
            dues = [queue[0].due for queue in self._queues.values()] if free else []
            self._changed.wait(max(0.0, min(dues) - now) if dues else None)

    def _process(self, batch: Batch) -> None:
        """Runs a batch, wakes those that wait for it whatever happens, and frees its slot."""
        try:
            now = time.monotonic()
            tasks = [task for task in batch.tasks if not task.expired(now)]
            if tasks:
                self._run_together(batch, tasks)
            # Those that are left: their deadlines passed in the queue.
            batch.fail(Code.DEADLINE_EXCEEDED if tasks else Code.RESOURCE_EXHAUSTED, _EXPIRED)
        except Exception as error:
            logger.error("a batch for %s failed: %s", batch.servable.id, type(error).__name__)
            failure = from_tensorflow(error)
            batch.fail(failure.code, failure.message)
        finally:
            batch.fail(Code.INTERNAL, "The server was interrupted. Ask again.")
            with self._changed:
                self._running -= 1
                if self._closed:
                    self._changed.notify_all()
                elif self._queues:
                    self._changed.notify()

    def _run_together(self, batch: Batch, tasks: Sequence[Task]) -> None:
        sizes = [task.size for task in tasks]
        rows = self._rows(sum(sizes))
        ends = [task.deadline for task in tasks if task.deadline is not None]
        try:
            outputs = self._run(
                batch.servable,
                batch.signature_key,
                batch.signature,
                merge([task.inputs for task in tasks], rows, pad_lengths=self._pad_lengths),
                batch.outputs,
                max(ends) if len(ends) == len(tasks) else None,
            )
            answers = split(outputs, sizes, rows)
        except ServingError as error:
            if len(tasks) > 1 and error.code not in _SHARED_FAILURES:
                # One bad row must fail its own request alone.
                for task in tasks:
                    self._run_together(batch, [task])
                return
            for task in tasks:
                task.fail(error.code, error.message)
        else:
            for task, answer in zip(tasks, answers, strict=True):
                task.finish(answer)

    def _rows(self, size: int) -> int:
        """The size that a batch is filled up to."""
        allowed = self._parameters.allowed_batch_sizes
        return allowed[bisect.bisect_left(allowed, size)] if allowed else size

    def _give_up(self, task: Task) -> ServingError:
        """Takes a task whose deadline has passed out of its batch, if that has not started."""
        now = time.monotonic()
        with self._changed:
            batch = task.batch
            if batch.started:
                return ServingError(
                    Code.DEADLINE_EXCEEDED, "Deadline exceeded while the model was running"
                )
            alone = all(other.expired(now) for other in batch.tasks)
            batch.discard(task)
            if not batch.tasks:
                self._remove(batch)
        code = Code.RESOURCE_EXHAUSTED if alone else Code.DEADLINE_EXCEEDED
        return ServingError(code, _EXPIRED)
