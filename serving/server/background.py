"""Loading that does not hold up requests: threads that get the cores when others leave them.

Linux has two ways to put a thread behind others. SCHED_IDLE lets it run where nothing else wants
to, so that requests hardly notice it; on cores that are always busy it never gets on. A higher
niceness leaves it a share of them. So a thread begins with the first and is given the second when
it starves, where the system lets a process take the first one back.
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
from pathlib import Path
from typing import Generic, NamedTuple, Optional, TypeVar

T = TypeVar("T")

# Steps below the server's own priority. Five leave a thread a quarter of a core that another one
# wants, too: beside clients that fill the cores, a large model is then loaded within 10 s.
_NICENESS = 5
_LOWEST = 19

# A thread starves where it wants a core and gets less of it than that niceness would leave it.
_LOOK_SECONDS = 0.5
_STARVING = 0.25

# After work of the first length that held the GIL, a pause of the second one.
_PIECE_SECONDS = 0.005
_PAUSE_SECONDS = 0.02


@dataclass
class _Load:
    """What goes on behind requests.

    Attributes:
      starved: whether it was found to starve; then all that follows has the higher priority.
      paused: when it last gave way, by `time.monotonic`.
    """

    starved: bool = False
    paused: float = 0.0


_load: ContextVar[Optional[_Load]] = ContextVar("load", default=None)


@contextlib.contextmanager
def requests_first(there_are_some: bool) -> Iterator[None]:
    """Says whether requests are answered meanwhile, to what is done within the `with` block.

    Of consequence on Linux alone, which has a priority for each thread.

    Args:
      there_are_some: False where nobody waits for anything but the end of the block.
    """
    behind = there_are_some and sys.platform == "linux"
    token = _load.set(_Load() if behind else None)
    try:
        yield
    finally:
        _load.reset(token)


def give_way() -> None:
    """Lets requests have the GIL and the cores for a moment, where they come first.

    Called between pieces of work that must hold the GIL, and so cannot be done in the background.
    """
    load = _load.get()
    if load is not None and time.monotonic() - load.paused > _PIECE_SECONDS:
        time.sleep(_PAUSE_SECONDS)
        load.paused = time.monotonic()


def requests_come_first() -> bool:
    """Says whether `in_background` lowers a priority here.

    What it does then must stay in its thread: TensorFlow's own threads have the usual priority.
    """
    return _load.get() is not None


def in_background(work: Callable[[], T]) -> T:
    """Does something at a lower priority where requests come first, and waits for it.

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
    if load is None:
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

    def run(self) -> None:
        try:
            _lower(idle=self._idle)
            self.done.set_result(self._work())
        except BaseException as error:
            self.done.set_exception(error)

    def starves(self, seconds: float) -> bool:
        """Waits for its end, or so long; whether what is idle wanted a core and hardly got one."""
        began, ran = time.monotonic(), _idle_threads().seconds
        self.join(seconds if self._idle else None)
        if not self.is_alive():
            return False
        now = _idle_threads()
        return now.wanting and now.seconds - ran < _STARVING * (time.monotonic() - began)

    def end_idle(self) -> None:
        """Leaves it, and the threads that it has started, their niceness alone."""
        self._idle = False
        for number in _idle_threads().numbers:
            with contextlib.suppress(OSError):
                os.sched_setscheduler(number, os.SCHED_OTHER, os.sched_param(0))


class _Idle(NamedTuple):
    """The threads of this process with SCHED_IDLE.

    Attributes:
      numbers: the system's.
      wanting: whether one of them waits for nothing but a core, or has one.
      seconds: how long all of them have run.
    """

    numbers: list[int]
    wanting: bool
    seconds: float


def _idle_threads() -> _Idle:
    numbers, wanting, ticks = [], False, 0
    for folder in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            if os.sched_getscheduler(int(folder.name)) == os.SCHED_IDLE:
                # The name before it is in brackets and may hold anything; see proc(5).
                state, *rest = (folder / "stat").read_text().rpartition(")")[2].split()
                numbers.append(int(folder.name))
                wanting |= state == "R"
                ticks += int(rest[10]) + int(rest[11])
    return _Idle(numbers, wanting, ticks / os.sysconf("SC_CLK_TCK"))


def _lower(*, idle: bool) -> None:
    # On Linux a thread's number is a process's. What the system refuses stays as it was.
    thread = os.PRIO_PROCESS, threading.get_native_id()
    with contextlib.suppress(OSError):
        os.setpriority(*thread, min(os.getpriority(*thread) + _NICENESS, _LOWEST))
    if idle:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


@functools.cache
def _idle_can_end() -> bool:
    """Tries it: without root, CAP_SYS_NICE or RLIMIT_NICE it is for good.

    Nor may it end in a server that was started with it.
    """
    if os.sched_getscheduler(0) == os.SCHED_IDLE:
        return False
    thread = _Thread(lambda: os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0)), idle=True)
    thread.start()
    thread.join()
    return thread.done.exception() is None
