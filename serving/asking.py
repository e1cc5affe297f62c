"""What the sync and the async client have in common: all but the waiting."""

from __future__ import annotations

import abc
from dataclasses import replace
from typing import Optional

from prodcls_tf.errors import InputError, ServerError
from serving import calls, channels
from serving.calls import Patience, Steps
from serving.channels import Tls
from serving.exchange import Model, Texts, rows_of, titles_alone
from serving.results import Answer, ModelVersion

_BATCH_SIZE = 64
# Less would not hold the model's own metadata.
_LEAST_MESSAGE = 1 << 10


class Asking(abc.ABC):
    """A server and the model there that is asked.

    Args:
      target: the server's gRPC address, such as `localhost:8500`; the port may be left out.
      model: the model's name.
      version: one version of it; None for the newest.
      label: the version that bears this label, instead.
      signature: the signature that is asked.
      timeout: seconds for one request of up to `batch_size` rows, all its repetitions included.
      retries: how often a request is sent again after UNAVAILABLE, with growing pauses; None for
        as often as `timeout` allows.
      tls: files for TLS; None for plain text.
      batch_size: rows in a request, at most.
      max_message_bytes: the longest message that is sent or taken, in bytes. A batch that would be
        longer is cut in two.

    Raises:
      InputError: an argument is out of range, or a file of `tls` cannot be read.
    """

    def __init__(
        self,
        target: str,
        *,
        model: str = "prodcls",
        version: Optional[int] = None,
        label: Optional[str] = None,
        signature: str = "serving_default",
        timeout: float = 30.0,
        retries: Optional[int] = 5,
        tls: Optional[Tls] = None,
        batch_size: int = _BATCH_SIZE,
        max_message_bytes: int = channels.MAX_MESSAGE_BYTES,
    ) -> None:
        if batch_size < 1 or max_message_bytes < _LEAST_MESSAGE:
            raise InputError(
                f"A batch must have 1 row or more, a message {_LEAST_MESSAGE} bytes or more. "
                f"Received batch_size={batch_size}, max_message_bytes={max_message_bytes}."
            )
        self.target = channels.address(target)
        self.model = Model(model, version, label, signature)
        self._patience = Patience(timeout, retries)
        self._tls = tls
        self._batch_size, self._max_bytes = batch_size, max_message_bytes
        self._known_fields: Optional[list[str]] = None
        self._connect()

    @abc.abstractmethod
    def _connect(self) -> None:
        """Makes the channel."""

    def _classify(self, texts: Texts, timeout: Optional[float]) -> Steps[list[Answer]]:
        patience = self._patience if timeout is None else replace(self._patience, timeout=timeout)
        learned = titles_alone(texts) and not isinstance(texts, (str, bytes))
        known = (yield from self._fields()) if learned else None
        fields, rows = rows_of(texts, known)
        try:
            return (
                yield from calls.classify(
                    self.model,
                    fields,
                    rows,
                    batch_size=self._batch_size,
                    max_bytes=self._max_bytes,
                    patience=patience,
                )
            )
        except ServerError as error:
            if error.code == "INVALID_ARGUMENT":
                # The server may have a new version with other fields by now.
                self._known_fields = None
            raise

    def _fields(self) -> Steps[list[str]]:
        known = self._known_fields
        if known is None:
            known = self._known_fields = yield from calls.fields(self.model, self._patience)
        return list(known)

    def _status(self) -> Steps[list[ModelVersion]]:
        return calls.status(self.model, self._patience)

    def _health(self, service: str) -> Steps[str]:
        return calls.health(service, self._patience)

    def _wait_until_ready(self, timeout: float) -> Steps[ModelVersion]:
        return calls.wait_until_ready(self.model, timeout)
