"""Counts the requests that are being answered: bounds them, and empties the house at the end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from serving.server.status import Code, ServingError


class Gate:
    """Lets so many requests in at a time; the others are refused at once, none waits.

    Args:
      limit: requests that are answered at a time.

    Example:
      >>> gate = Gate(1)
      >>> with gate.passing():
      ...     gate.inside
      1
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def inside(self) -> int:
        """How many requests are being answered."""
        return self._inside

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """Holds one place.

        Raises:
          ServingError: RESOURCE_EXHAUSTED, there is none; UNAVAILABLE, the gate is closed.
        """
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def enter(self) -> None:
        """Takes a place, as `passing` does; `leave` gives it back."""
        with self._changed:
            if self._closed:
                raise ServingError(Code.UNAVAILABLE, "The server is shutting down. Ask another.")
            if self._inside >= self._limit:
                raise ServingError(
                    Code.RESOURCE_EXHAUSTED,
                    f"Concurrent RPC limit exceeded! At most {self._limit} requests are answered "
                    "at a time. Try again later.",
                )
            self._inside += 1

    def leave(self) -> None:
        """Gives a place back."""
        with self._changed:
            self._inside -= 1
            if not self._inside:
                self._changed.notify_all()

    def close(self) -> None:
        """Lets nobody in any more."""
        with self._changed:
            self._closed = True

    def wait_until_empty(self, until: float) -> bool:
        """Waits for those inside.

        Args:
          until: on the clock of `time.monotonic`, when to wait no longer.

        Returns:
          Whether all have left.
        """
        with self._changed:
            timeout = max(0.0, until - time.monotonic())
            return self._changed.wait_for(lambda: not self._inside, timeout)
