"""Loading that does not hold up requests: threads that get the cores when others leave them.

Linux has two ways to put a thread behind others. SCHED_IDLE lets it run where nothing else wants
to, so that requests hardly notice it; on cores that are always busy it never gets on. A higher
niceness leaves it a tenth of what another thread gets. So a thread begins with the first and is
given the second when it starves, where the system lets a process take the first one back.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, Optional, TypeVar

T = TypeVar("T")

# Steps below the server's own priority; each is a tenth of the share of a core less.
_NICENESS = 10
_LOWEST = 19

# A thread starves where it gets less of a core than that niceness would leave it.
_LOOK_SECONDS = 0.5
_STARVING = 0.1

# Between two pieces of work that hold the GIL; most of them take 2 to 5 ms.
_PAUSE_SECONDS = 0.02


@dataclass
class _Load:
    """What goes on behind requests.

    Attributes:
      starved: whether it was found to starve; then all that follows has the higher priority.
    """

    starved: bool = False


_load: ContextVar[Optional[_Load]] = ContextVar("load", default=None)
_this_thread = threading.local()


@contextlib.contextmanager
def requests_first(there_are_some: bool) -> Iterator[None]:
    """Says whether requests are answered meanwhile, to what is done within the `with` block.

    Args:
      there_are_some: False where nobody waits for anything but the end of the block.
    """
    token = _load.set(_Load() if there_are_some else None)
    try:
        yield
    finally:
        _load.reset(token)


def give_way() -> None:
    """Lets requests have the GIL and the cores for a moment, where they come first.

    Called between pieces of work that must hold the GIL, and so cannot be done in the background.
    """
    if _load.get() is not None:
        time.sleep(_PAUSE_SECONDS)


def is_background() -> bool:
    """Says whether this is a thread of `in_background`, which must not hand on its work.

    What it hands on to threads that were there before is done at their priority.
    """
    return getattr(_this_thread, "is_background", False)


def in_background(work: Callable[[], T]) -> T:
    """Does something at a lower priority where requests come first, and waits for it.

    Linux has a priority for each thread. Elsewhere the work is done as any other.

    Args:
      work: lets go of the GIL, or a slow thread would keep it from all others. Threads that it
        starts inherit the priority; TensorFlow's own pools are started with a session before.

    Returns:
      What it returns.

    Raises:
      BaseException: what it raises.

    Example:
      >>> with requests_first(True):
      ...     in_background(lambda: 6 * 7)
      42
    """
    load = _load.get()
    if load is None or sys.platform != "linux":
        return work()
    # A thread may not raise its own niceness again, so each piece of work has one of its own.
    thread = _Thread(work, idle=not load.starved and _idle_can_end())
    thread.start()
    while thread.is_alive():
        if thread.starves(_LOOK_SECONDS):
            load.starved = True
            thread.end_idle()
    return thread.done.result()


class _Thread(threading.Thread, Generic[T]):
    """Does one piece of work behind others.

    Args:
      work: what it does.
      idle: whether it runs where nothing else wants to, until `end_idle`.

    Attributes:
      done: what came of the work.
    """

    def __init__(self, work: Callable[[], T], *, idle: bool) -> None:
        super().__init__(name="background", daemon=True)
        self.done: Future[T] = Future()
        self._work, self._idle = work, idle
        self._clock: Optional[int] = None

    def run(self) -> None:
        _this_thread.is_background = True
        try:
            self._clock = time.pthread_getcpuclockid(threading.get_ident())
            _lower(idle=self._idle)
            self.done.set_result(self._work())
        except BaseException as error:
            self.done.set_exception(error)

    def starves(self, seconds: float) -> bool:
        """Waits for its end, or so long; whether an idle thread got hardly a core meanwhile."""
        began, ran = time.monotonic(), self._ran()
        self.join(seconds if self._idle else None)
        if not self.is_alive():
            return False
        return self._ran() - ran < _STARVING * (time.monotonic() - began)

    def end_idle(self) -> None:
        """Leaves it its niceness alone."""
        self._idle = False
        with contextlib.suppress(ProcessLookupError):
            os.sched_setscheduler(self.native_id or 0, os.SCHED_OTHER, os.sched_param(0))

    def _ran(self) -> float:
        try:
            return 0.0 if self._clock is None else time.clock_gettime(self._clock)
        except OSError:  # it has just ended
            return 0.0


def _lower(*, idle: bool) -> None:
    # On Linux a thread's number is a process's.
    thread = os.PRIO_PROCESS, threading.get_native_id()
    os.setpriority(*thread, min(os.getpriority(*thread) + _NICENESS, _LOWEST))
    if idle:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


@functools.cache
def _idle_can_end() -> bool:
    """Tries it: without root, CAP_SYS_NICE or RLIMIT_NICE it is for good."""
    thread = _Thread(lambda: os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0)), idle=True)
    thread.start()
    thread.join()
    return thread.done.exception() is None
