"""Loading that does not hold up requests: threads that get the cores when others leave them."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

# Steps below the server's own priority; each is a tenth of the share of a core less.
_NICENESS = 10
_LOWEST = 19

_requests_first: ContextVar[bool] = ContextVar("requests_first", default=False)


@contextlib.contextmanager
def requests_first(there_are_some: bool) -> Iterator[None]:
    """Says whether requests are answered meanwhile, to `in_background` within the `with` block.

    Args:
      there_are_some: False where nobody waits for anything but the end of the block.
    """
    token = _requests_first.set(there_are_some)
    try:
        yield
    finally:
        _requests_first.reset(token)


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
    if not _requests_first.get() or sys.platform != "linux":
        return work()
    done: Future[T] = Future()

    def run() -> None:
        try:
            # On Linux a thread's number is a process's.
            thread = os.PRIO_PROCESS, threading.get_native_id()
            os.setpriority(*thread, min(os.getpriority(*thread) + _NICENESS, _LOWEST))
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    # A thread may not raise its own priority again, so each piece of work has one of its own.
    thread = threading.Thread(target=run, name="background", daemon=True)
    thread.start()
    thread.join()
    return done.result()
