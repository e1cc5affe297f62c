"""Rows of several requests into one batch, and the answers apart again."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from serving.server.status import Code, ServingError

Arrays = Mapping[str, np.ndarray]


def likeness(inputs: Arrays, *, pad_lengths: bool) -> Hashable:
    """Returns what two requests must have in common to share a batch: types and sizes of a row.

    TF Serving puts them into one batch all the same, and then refuses it.

    Args:
      inputs: by alias.
      pad_lengths: whether rows are padded to one size, so that only their rank counts.
    """
    return tuple(
        (alias, array.dtype.str, array.ndim if pad_lengths else array.shape[1:])
        for alias, array in sorted(inputs.items())
    )


def merge(requests: Sequence[Arrays], rows: int, *, pad_lengths: bool) -> dict[str, np.ndarray]:
    """Puts the rows of alike requests below each other.

    Args:
      requests: inputs by alias, at least one row each.
      rows: that the batch shall have; where there are fewer, the first row of the last request is
        repeated, which is sure to be as valid as that request.
      pad_lengths: whether rows are padded to the longest, each with its request's first value.

    Returns:
      The inputs of the batch, by alias.

    Raises:
      ServingError: INVALID_ARGUMENT, there is no value to pad a row with.
    """
    merged = {}
    for alias in requests[0]:
        parts = [request[alias] for request in requests]
        if pad_lengths:
            parts = _padded(parts)
        missing = rows - sum(map(len, parts))
        if missing:
            parts.append(np.repeat(parts[-1][:1], missing, axis=0))
        # One request without padding, the usual case of a quiet server, is not copied.
        merged[alias] = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return merged


def split(outputs: Arrays, sizes: Sequence[int], rows: int) -> list[dict[str, np.ndarray]]:
    """Gives each request its rows back.

    Args:
      outputs: of the batch, by alias.
      sizes: rows of each request, in order.
      rows: of the batch, which may have been filled up.

    Returns:
      The outputs of each request: views, no copies.

    Raises:
      ServingError: FAILED_PRECONDITION, the model does not answer row by row.
    """
    for array in outputs.values():
        if array.ndim == 0:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor has 0 dimensions: such a model cannot be batched. Serve it "
                "without --enable_batching.",
            )
        if len(array) != rows:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension "
                f"sizes of the input tensors: {len(array)} for {rows}. Serve such a model without "
                "--enable_batching.",
            )
    ends = np.cumsum(sizes).tolist()
    return [
        {alias: array[end - size : end] for alias, array in outputs.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]


def _padded(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    shape = tuple(max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True))
    padded = []
    for part in parts:
        if part.shape[1:] == shape:
            padded.append(part)
            continue
        if not part.size:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "Got empty tensor in batch of non-empty tensors. Send rows of at least one value.",
            )
        wide = np.full((len(part), *shape), part.flat[0], part.dtype)
        wide[tuple(map(slice, part.shape))] = part
        padded.append(wide)
    return padded
