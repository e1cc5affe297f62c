"""Streams any number of rows through a client: several requests in flight, the order kept."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from prodcls_tf.errors import InputError
from serving.client import Client
from serving.results import Answer

_T = TypeVar("_T")

# Rows that are sorted by length together, and whose answers come back together.
CHUNK = 256
IN_FLIGHT = 8


def stream(
    client: Client,
    rows: Iterable[_T],
    texts: Callable[[_T], Sequence[str]],
    fields: Sequence[str],
    *,
    in_flight: int = IN_FLIGHT,
    chunk: int = CHUNK,
) -> Generator[list[tuple[_T, Answer]], None, None]:
    """Asks about rows of any number and kind.

    No more than `in_flight * chunk` rows are in memory: one more chunk is read when the answers of
    the oldest are taken. Whoever stops early leaves requests behind; closing the client ends them.

    Args:
      client: asks the server.
      rows: anything, read once and in order, in the caller's thread.
      texts: the texts of a row, in the order of `fields`.
      fields: names of the model's fields.
      in_flight: chunks that are asked about at once, each in a thread.
      chunk: rows in a chunk; the client cuts it into batches.

    Yields:
      A chunk of the rows with their answers, in the order of the rows.

    Raises:
      InputError: `in_flight` or `chunk` is less than 1, or a text is no string.
      ServerError: the server did not answer; all chunks before have been yielded.
      ModelError: the model is none of prodcls.

    Example:
      >>> with Client("localhost:8500") as client:  # doctest: +SKIP
      ...     for answered in stream(client, titles, lambda title: (title,), ["title"]):
      ...         for title, answer in answered:
      ...             ...
    """
    if in_flight < 1 or chunk < 1:
        raise InputError(
            "At least one chunk of at least one row must be in flight. Received "
            f"in_flight={in_flight}, chunk={chunk}."
        )

    def ask(part: list[_T]) -> list[tuple[_T, Answer]]:
        columns = zip(*map(texts, part), strict=True)
        question = {field: list(column) for field, column in zip(fields, columns, strict=True)}
        return list(zip(part, client.classify(question), strict=True))

    source = iter(rows)
    parts = iter(lambda: list(itertools.islice(source, chunk)), [])
    window: deque[Future[list[tuple[_T, Answer]]]] = deque()
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="prodcls-ask")
    try:
        for part in parts:
            window.append(pool.submit(ask, part))
            if len(window) == in_flight:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
