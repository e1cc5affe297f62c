"""What SIGTERM and Ctrl-C come to, and how the process ends. Loads nothing heavy."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Any, NoReturn, Optional

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

# A signal ends a sleep; one that comes just before it is seen after it.
_LOOK_SECONDS = 0.2


class StopSignals:
    """A context, for the main thread, in which the first signal ends a server calmly.

    Before `calmly` is called nobody waits for an answer: a signal raises SystemExit(0). Afterwards
    the first one ends `wait`, and a second one ends the process at once.

    Example:
      >>> with StopSignals() as signals:  # doctest: +SKIP
      ...     server.start()
      ...     signals.calmly()
      ...     signals.wait()
      ...     server.stop()
    """

    def __init__(self) -> None:
        self._asked = False
        self._calm = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def calmly(self) -> None:
        """Says that there is something to end calmly from now on."""
        self._calm = True

    def wait(self) -> None:
        """Waits for the first signal."""
        # No Event: the handler interrupts this very thread, and would wait for ever for a lock that
        # it holds. No queue either: a signal just before a lock is waited for ends no such wait.
        while not self._asked:
            time.sleep(_LOOK_SECONDS)

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        if self._asked:
            os._exit(128 + number)
        self._asked = True
        if not self._calm:
            raise SystemExit(0)


def leave(code: int) -> NoReturn:
    """Ends the process now, whatever its threads do.

    Python would wait for those that answer requests, and a request may have no end.

    Args:
      code: exit code.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
