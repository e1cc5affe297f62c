"""Work that shall not hold up requests: in a thread that gets the cores when others leave them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

# On the scale from 0, as usual, to 19; each step is a tenth of the share of a core less.
_NICENESS = 10


def in_background(work: Callable[[], T]) -> T:
    """Does something at a lower priority and waits for it.

    Linux has a priority for each thread. Elsewhere the work is done as any other.

    Args:
      work: must not start threads that others shall use: they inherit the priority.

    Returns:
      What it returns.

    Raises:
      BaseException: what it raises.

    Example:
      >>> in_background(lambda: 6 * 7)
      42
    """
    done: Future[T] = Future()

    def run() -> None:
        if hasattr(os, "sched_getaffinity"):  # Linux, where a thread's number is a process's
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    # A thread cannot raise its own priority again, so each piece of work has one of its own.
    thread = threading.Thread(target=run, name="background", daemon=True)
    thread.start()
    thread.join()
    return done.result()
