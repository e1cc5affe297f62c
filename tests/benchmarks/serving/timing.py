"""Callers that call again as soon as they are answered, and how long each call took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

# Not counted: the first calls plan the graph and fill caches.
_UNCOUNTED_SECONDS = 1.0


def timed(calls: Sequence[Callable[[], None]], seconds: float, pause: float = 0.0) -> list[float]:
    """Runs each call in a thread of its own, over and over.

    Args:
      calls: one for each caller.
      seconds: how long.
      pause: seconds between an answer and the next call of the same caller.

    Returns:
      The seconds that each call took which ended within that time, of all callers together.

    Raises:
      Exception: whatever a call raised.
    """
    begin = time.perf_counter() + _UNCOUNTED_SECONDS
    taken: list[float] = []
    failed: list[BaseException] = []

    def run(call: Callable[[], None]) -> None:
        try:
            while not failed:
                before = time.perf_counter()
                call()
                now = time.perf_counter()
                if now > begin + seconds:
                    return
                if before >= begin:
                    taken.append(now - before)
                time.sleep(pause)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return taken
