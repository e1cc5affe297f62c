"""The standard gRPC health service over what the registry knows.

grpcio-health-checking has a servicer, too. It keeps a state for each name that anybody ever asked
for, and a watcher that does not read holds up all others; this one asks the registry.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

SERVICE = "grpc.health.v1.Health"

# Each holds a thread that sleeps.
MOST_WATCHERS = 256

_SERVING = HealthCheckResponse.SERVING
_NOT_SERVING = HealthCheckResponse.NOT_SERVING
_UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN


class Health:
    """Answers Check and Watch.

    Args:
      serving: says of a name whether it can be asked, None for a name that is not known. The empty
        name is the server itself.

    Example:
      >>> health = Health(lambda name: True if name == "" else None)
      >>> health.status("") == HealthCheckResponse.SERVING
      True
      >>> health.close()
    """

    def __init__(self, serving: Callable[[str], Optional[bool]]) -> None:
        self._serving = serving
        self._changed = threading.Condition()
        self._changes = 0
        self._stopping = False
        self._watchers = 0
        # A few more threads than watchers, which turn the others away.
        self._pool = ThreadPoolExecutor(MOST_WATCHERS + 4, "grpc-health")

    def handler(self) -> grpc.GenericRpcHandler:
        """Returns the service as a server takes it."""

        def watch(request: HealthCheckRequest, context: grpc.ServicerContext) -> Iterator[Any]:
            return self._watch(request, context)

        # A watcher holds a thread for as long as it likes, so never one that answers requests.
        watch.experimental_thread_pool = self._pool  # type: ignore[attr-defined]
        read, write = HealthCheckRequest.FromString, HealthCheckResponse.SerializeToString
        handlers = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check, read, write),
            "Watch": grpc.unary_stream_rpc_method_handler(watch, read, write),
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def status(self, name: str) -> int:
        """Returns the state of a name, as the protocol's number."""
        serving = self._serving(name)
        if serving is None:
            return int(_UNKNOWN)
        return int(_SERVING if serving and not self._stopping else _NOT_SERVING)

    def notify(self) -> None:
        """Has all watchers look again."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Says NOT_SERVING from now on, and lets the watchers go when they have been told."""
        self._stopping = True
        self.notify()

    def close(self) -> None:
        """Ends the threads, once the server takes no calls any more."""
        self._pool.shutdown(wait=False)

    def _check(
        self, request: HealthCheckRequest, context: grpc.ServicerContext
    ) -> HealthCheckResponse:
        status = self.status(request.service)
        if status == _UNKNOWN:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return HealthCheckResponse(status=status)

    def _watch(
        self, request: HealthCheckRequest, context: grpc.ServicerContext
    ) -> Iterator[HealthCheckResponse]:
        with self._changed:
            self._watchers += 1
            full = self._watchers > MOST_WATCHERS
        try:
            if full:
                # What makes a client go on without watching.
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{MOST_WATCHERS} clients watch.")
            yield from self._states(request.service, context)
        finally:
            with self._changed:
                self._watchers -= 1

    def _states(self, name: str, context: grpc.ServicerContext) -> Iterator[HealthCheckResponse]:
        told = None
        # Also when the client has gone: whoever sleeps for it must wake up.
        context.add_callback(self.notify)
        while context.is_active():
            with self._changed:
                seen, stopping = self._changes, self._stopping
            status = self.status(name)
            if status != told:
                yield HealthCheckResponse(status=status)
                told = status
            if stopping:
                return
            with self._changed:
                while self._changes == seen:
                    self._changed.wait()
