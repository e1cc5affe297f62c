"""A client of TensorFlow Serving's gRPC protocol that needs no TensorFlow."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Optional, TypeVar

import grpc

from prodcls_tf.errors import ServerError
from serving import channels, messages
from serving.asking import Asking
from serving.calls import Pause, Rpc, Steps
from serving.channels import Tls
from serving.exchange import Texts
from serving.results import Answer, ModelVersion, Prediction

__all__ = ["Answer", "Client", "ModelVersion", "Prediction", "Tls"]

_T = TypeVar("_T")


class Client(Asking):
    """Asks a model server, which may be TensorFlow Serving or `prodcls serve`.

    It takes the arguments of `Asking`. Several threads may share one; `close` ends the requests of
    all of them.

    Example:
      >>> with Client("localhost:8500") as client:  # doctest: +SKIP
      ...     (answer,) = client.classify(["wireless mouse 2.4 GHz"])
      >>> answer.category, answer.version  # doctest: +SKIP
      ('Electronics > Computers > Mice', 1795489515)
    """

    def _connect(self) -> None:
        self._closed = threading.Event()
        chosen = channels.options(self.target, self._max_bytes, self._tls)
        self._channel = (
            grpc.insecure_channel(self.target, chosen)
            if self._tls is None
            else grpc.secure_channel(self.target, self._tls.credentials(), chosen)
        )

    def classify(self, texts: Texts, *, timeout: Optional[float] = None) -> list[Answer]:
        """Asks for the categories of rows.

        Args:
          texts: titles, or one list of strings for each of `fields`, all of one length. Any number
            of rows: they go in batches, one after the other.
          timeout: seconds for each batch, other than the client's.

        Returns:
          One `Answer` a row, in order.

        Raises:
          InputError: the texts are no strings or do not fit the fields, or a single row is larger
            than a message may be.
          ServerError: the server did not answer; `code` says why.
          ModelError: the model is none of prodcls.
        """
        return self._run(self._classify(texts, timeout))

    def fields(self) -> list[str]:
        """Returns the names of the model's text fields, the title first, the others by name.

        They are asked for once, and again after the server refused a request.

        Raises:
          ServerError: the server did not answer.
          ModelError: the model is none of prodcls.
        """
        return self._run(self._fields())

    def status(self) -> list[ModelVersion]:
        """Returns the model's versions and their states, the newest first.

        Raises:
          ServerError: the server did not answer, or has no such model.
        """
        return self._run(self._status())

    def health(self, service: str = "") -> str:
        """Asks the standard gRPC health service, which TensorFlow Serving has only if told so.

        Args:
          service: the full name of a gRPC service; '' for the whole server.

        Returns:
          SERVING, NOT_SERVING, SERVICE_UNKNOWN or UNKNOWN.

        Raises:
          ServerError: the server did not answer; UNIMPLEMENTED where it has no health service.
        """
        return self._run(self._health(service))

    def wait_until_ready(self, timeout: float = 60.0) -> ModelVersion:
        """Waits until the server answers and has loaded the model.

        Args:
          timeout: seconds at most.

        Returns:
          The newest version that is available.

        Raises:
          ServerError: DEADLINE_EXCEEDED if it takes longer.
        """
        return self._run(self._wait_until_ready(timeout))

    def close(self) -> None:
        """Ends all requests and the connection."""
        self._closed.set()
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _run(self, steps: Steps[_T]) -> _T:
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
                self._closed.wait(step.seconds)
                continue
            try:
                reply = self._send(step)
            except ServerError as error:
                failure = error

    def _send(self, rpc: Rpc) -> Any:
        if self._closed.is_set():
            raise channels.closed(self.target)
        try:
            send = self._channel.unary_unary(
                rpc.method.path,
                request_serializer=messages.serialized,
                response_deserializer=rpc.method.response.FromString,
            )
            return send(rpc.request, timeout=rpc.timeout)
        except grpc.RpcError as error:
            raise channels.server_error(error, self.target) from error
        except ValueError:
            # gRPC's word for a channel that another thread has just closed.
            raise channels.closed(self.target) from None
