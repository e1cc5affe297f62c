"""Progress of long work: the library reports, whoever listens draws.

Example:
  >>> events = []
  >>> with listening(events.append):
  ...     report("epoch 1", done=3, total=10, detail="loss 0.41")
  >>> events[0].done, events[0].total
  (3, 10)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Event:
    """How far one task is.

    Attributes:
      task: what is being done, in words for a person; one task keeps its words.
      done: units done so far (rows, batches, files).
      total: units in all, or None where it is not known beforehand.
      detail: a short remark, such as the current loss.
    """

    task: str
    done: int
    total: Optional[int] = None
    detail: str = ""


Listener = Callable[[Event], None]

_listeners: list[Listener] = []


def report(task: str, done: int, total: Optional[int] = None, detail: str = "") -> None:
    """Tells every listener how far a task is; costs nothing where nobody listens."""
    for listener in tuple(_listeners):
        listener(Event(task, done, total, detail))


class Counter:
    """Counts the units of a task and reports every so many of them.

    Args:
      task: as in `Event`.
      total: as in `Event`.
      every: so many units.
    """

    def __init__(self, task: str, total: Optional[int] = None, every: int = 5_000) -> None:
        self.task, self.total, self.every, self.done = task, total, every, 0

    def __call__(self) -> None:
        """Counts one."""
        self.done += 1
        if not self.done % self.every:
            report(self.task, self.done, self.total)


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Calls `listener` with every event that is reported within the `with` block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
