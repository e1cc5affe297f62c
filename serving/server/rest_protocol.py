"""HTTP connections that do not stay for ever."""

from __future__ import annotations

import asyncio
from typing import Any, Optional

from uvicorn.protocols.http.h11_impl import H11Protocol


def bounded_protocol(seconds: float) -> type[asyncio.Protocol]:
    """Returns uvicorn's protocol with an end to connections that it leaves open.

    uvicorn ends those on which nothing comes after an answer. This ends those, too, on which a
    request does not come to the end of its headers, and those whose client does not read.

    Args:
      seconds: after which a connection that neither asks nor waits for an answer is cut off; at
        the latest after twice as many.
    """

    class BoundedProtocol(H11Protocol):
        _timer: Optional[asyncio.TimerHandle] = None
        _idle_since: Any = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._look()

        def connection_lost(self, exc: Optional[Exception]) -> None:
            if self._timer is not None:
                self._timer.cancel()
            super().connection_lost(exc)

        def _look(self) -> None:
            cycle = self.cycle
            idle = cycle is None or cycle.response_complete or self.transport.is_closing()
            if idle and self._idle_since is cycle:
                self.transport.abort()
                return
            self._idle_since = cycle if idle else False
            self._timer = self.loop.call_later(seconds, self._look)

    return BoundedProtocol
