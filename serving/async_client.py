"""The client for asyncio: what `serving.client.Client` does, awaited."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Optional, TypeVar

import grpc

from prodcls_tf.errors import ServerError
from serving import channels, messages
from serving.asking import Asking
from serving.calls import Pause, Rpc, Steps
from serving.exchange import Texts
from serving.results import Answer, ModelVersion

_T = TypeVar("_T")


class AsyncClient(Asking):
    """Asks a model server from a coroutine. It takes the arguments of `Asking`.

    Its methods are those of `Client`, with the same arguments, results and errors. Many coroutines
    of one event loop may share one; it is made inside a coroutine.

    Example:
      >>> async def ask():
      ...     async with AsyncClient("localhost:8500") as client:
      ...         return await client.classify(["wireless mouse 2.4 GHz"])
      >>> asyncio.run(ask())[0].category  # doctest: +SKIP
      'Electronics > Computers > Mice'
    """

    def _connect(self) -> None:
        self._closed = False
        chosen = channels.options(self.target, self._max_bytes, self._tls)
        self._channel = (
            grpc.aio.insecure_channel(self.target, chosen)
            if self._tls is None
            else grpc.aio.secure_channel(self.target, self._tls.credentials(), chosen)
        )

    async def classify(self, texts: Texts, *, timeout: Optional[float] = None) -> list[Answer]:
        """Asks for the categories of rows; see `Client.classify`."""
        return await self._run(self._classify(texts, timeout))

    async def fields(self) -> list[str]:
        """Returns the names of the model's text fields; see `Client.fields`."""
        return await self._run(self._fields())

    async def status(self) -> list[ModelVersion]:
        """Returns the model's versions and their states; see `Client.status`."""
        return await self._run(self._status())

    async def health(self, service: str = "") -> str:
        """Asks the standard gRPC health service; see `Client.health`."""
        return await self._run(self._health(service))

    async def wait_until_ready(self, timeout: float = 60.0) -> ModelVersion:
        """Waits until the model is loaded; see `Client.wait_until_ready`."""
        return await self._run(self._wait_until_ready(timeout))

    async def close(self) -> None:
        """Ends all requests and the connection."""
        self._closed = True
        await self._channel.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def _run(self, steps: Steps[_T]) -> _T:
        """Does what `steps` say."""
        reply: Any = None
        failure: Optional[ServerError] = None
        while True:
            try:
                step = steps.send(reply) if failure is None else steps.throw(failure)
            except StopIteration as done:
                result: _T = done.value
                return result
            reply = failure = None
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                continue
            try:
                reply = await self._send(step)
            except ServerError as error:
                failure = error

    async def _send(self, rpc: Rpc) -> Any:
        if self._closed:
            raise channels.closed(self.target)
        try:
            send = self._channel.unary_unary(
                rpc.method.path,
                request_serializer=messages.serialized,
                response_deserializer=rpc.method.response.FromString,
            )
            return await send(rpc.request, timeout=rpc.timeout)
        except grpc.RpcError as error:
            raise channels.server_error(error, self.target) from error
