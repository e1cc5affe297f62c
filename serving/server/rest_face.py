"""The core's calls as TF Serving's REST API, and the figures for Prometheus, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Optional, TypeVar

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from prodcls_tf.errors import ServerError
from serving.server import rest_answers
from serving.server.addresses import listening_socket
from serving.server.config import ServerOptions
from serving.server.gate import Gate
from serving.server.metrics import Metrics, explained
from serving.server.rest_calls import RestCalls, Target, TooLargeError, find_target, unpacked
from serving.server.rest_protocol import bounded_protocol
from serving.server.status import Code, ServingError

_T = TypeVar("_T")

_JSON = "application/json"
_FIGURES = "text/plain; version=0.0.4; charset=utf-8"
# HTTP has a word of its own for this one.
_TOO_LARGE = 413

_MOST_CONNECTIONS = 1000
# Requests that wait for a thread, to each thread.
_WAITING = 4
# A sender of too much is read this far, so that it gets to see the answer.
_READ_TOO_MUCH = 4
_START_SECONDS = 30.0
_FLUSH_SECONDS = 5


class _Answer(NamedTuple):
    status: int
    content: str


class RestFace:
    """Listens for REST requests from `start` until `stop`, in a thread of its own.

    Args:
      options: address and bounds.
      calls: answers.
      metrics: counts.
      figures_path: where Prometheus asks for these; None for nowhere.

    Attributes:
      port: that it listens on.

    Raises:
      SettingsError: it cannot listen there.
    """

    def __init__(
        self,
        options: ServerOptions,
        calls: RestCalls,
        metrics: Metrics,
        figures_path: Optional[str],
    ) -> None:
        self._calls, self._metrics, self._figures_path = calls, metrics, figures_path
        self._limit = options.max_message_bytes
        self._timeout = options.rest_api_timeout_in_ms / 1000
        threads = options.rest_api_num_threads
        self._gate = Gate((1 + _WAITING) * threads)
        self._pool = ThreadPoolExecutor(threads, "rest")
        # What must be answered under load, too.
        self._spare_pool = ThreadPoolExecutor(2, "rest-status")
        self._socket = listening_socket(options, options.rest_api_port, "rest_api_port")
        self.port = int(self._socket.getsockname()[1])
        self._server = uvicorn.Server(_config(self._app, self._timeout))
        self._thread = threading.Thread(target=self._serve, name="rest", daemon=True)

    def start(self) -> None:
        """Takes requests from now on."""
        self._thread.start()
        until = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if time.monotonic() > until or not self._thread.is_alive():
                raise ServerError("The REST server must start. It did not.", "UNAVAILABLE")
            time.sleep(0.01)

    def refuse(self) -> None:
        """Takes no further predictions; those under way go on."""
        self._gate.close()

    def stop(self, until: float) -> bool:
        """Waits for the predictions under way, then closes all connections.

        Args:
          until: on the clock of `time.monotonic`, when to wait no longer.

        Returns:
          Whether all were answered.
        """
        self.refuse()
        done = self._gate.wait_until_empty(until)
        self._server.force_exit = not done
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(_FLUSH_SECONDS + 1)
        self._socket.close()
        for pool in (self._pool, self._spare_pool):
            pool.shutdown(wait=False)
        return done

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        request = Request(scope, receive)
        # Whoever goes, or reads too slowly, gets no answer.
        with contextlib.suppress(ClientDisconnect, asyncio.TimeoutError):
            response = await self._respond(request)
            await asyncio.wait_for(response(scope, receive, send), self._timeout)

    async def _respond(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii", errors="replace")
        if path == self._figures_path:
            return await self._figures(request.method)
        if not path.lower().startswith("/v1/"):
            return _response(_Answer(404, rest_answers.error(f"There is nothing at {path}.")))
        try:
            target = find_target(request.method, path)
            if not target.predicts:
                return _response(await _in(self._spare_pool, lambda: self._state(target)))
            return _response(await self._predict(request, target))
        except ServingError as error:
            return _response(_failure(error))

    async def _predict(self, request: Request, target: Target) -> _Answer:
        deadline = time.monotonic() + self._timeout
        try:
            self._gate.enter()
        except ServingError as error:
            self._metrics.count(target.spec.name, target.api, "REST", error.code)
            raise
        try:
            body = await self._body(request)
        except BaseException:
            self._gate.leave()
            raise
        packed = "gzip" in request.headers.get("content-encoding", "")
        answering = _in(self._pool, lambda: self._answer(target, body, deadline, packed=packed))
        # Not cancelled: it would not give its place back.
        done, _ = await asyncio.wait([answering], timeout=deadline - time.monotonic())
        if not done:
            raise ServingError(Code.DEADLINE_EXCEEDED, "The request took longer than it may.")
        return answering.result()

    async def _body(self, request: Request) -> Optional[bytes]:
        """Reads a body; None if it is too large."""
        try:
            return await asyncio.wait_for(self._read(request), self._timeout)
        except asyncio.TimeoutError:
            raise ServingError(Code.DEADLINE_EXCEEDED, "The request came too slowly.") from None

    async def _read(self, request: Request) -> Optional[bytes]:
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size <= self._limit:
                parts.append(part)
            elif size > _READ_TOO_MUCH * self._limit:
                break
        return b"".join(parts) if size <= self._limit else None

    def _answer(
        self, target: Target, body: Optional[bytes], deadline: float, *, packed: bool
    ) -> _Answer:
        """Answers a prediction, in a thread; never raises, and gives the place back."""
        try:
            with self._metrics.request(target.spec.name, target.api, "REST"):
                if time.monotonic() >= deadline:
                    raise ServingError(Code.DEADLINE_EXCEEDED, "Deadline exceeded before it ran.")
                if body is None:
                    raise TooLargeError(self._limit)
                content = unpacked(body, self._limit) if packed else body
                return _Answer(200, self._calls.answer(target, content, deadline))
        except ServingError as error:
            return _failure(error)
        finally:
            self._gate.leave()

    def _state(self, target: Target) -> _Answer:
        """Answers what is no prediction, in a thread; never raises."""
        try:
            with explained(target.api):
                return _Answer(200, self._calls.answer(target))
        except ServingError as error:
            return _failure(error)

    async def _figures(self, method: str) -> Response:
        if method != "GET":
            answer = rest_answers.error(f"The figures are there to GET, not to {method}.")
            return _response(_Answer(405, answer))
        text = await _in(self._spare_pool, self._metrics.text)
        return Response(text, media_type=_FIGURES)


def _in(pool: ThreadPoolExecutor, work: Callable[[], _T]) -> asyncio.Future[_T]:
    return asyncio.get_running_loop().run_in_executor(pool, work)


def _failure(error: ServingError) -> _Answer:
    status = _TOO_LARGE if isinstance(error, TooLargeError) else error.code.http
    return _Answer(status, rest_answers.error(error.message))


def _response(answer: _Answer) -> Response:
    content = answer.content.encode("utf-8", errors="replace")
    return Response(content, answer.status, media_type=_JSON)


def _config(app: ASGIApp, timeout: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=bounded_protocol(timeout + _FLUSH_SECONDS),
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        # Its warnings are of what clients send.
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=math.ceil(timeout),
        timeout_graceful_shutdown=_FLUSH_SECONDS,
    )
