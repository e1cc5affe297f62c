"""Outputs of the frozen part of the encoder, computed once instead of in every epoch."""

from __future__ import annotations

from typing import Optional

import numpy as np
import tensorflow as tf

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.model.deep_branch import DeepBranch, pad
from prodcls_tf.progress import report
from prodcls_tf.training.batches import inference_batches

_BATCH = 64


class FrozenPart:
    """Runs rows through the encoder outside of training.

    Args:
      branch: the deep branch; its frozen lower part is what can be stored.
      cache_bytes: states are stored only if those of all rows fit into this much memory.

    Example:
      >>> part = FrozenPart(branch, cache_bytes=1 << 30)  # doctest: +SKIP
      >>> states, vectors = part.run(examples, "reading the titles")  # doctest: +SKIP
    """

    def __init__(self, branch: DeepBranch, cache_bytes: int) -> None:
        self.branch = branch
        self.cache_bytes = cache_bytes
        self._forward = tf.function(
            self._states_and_vectors,
            input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)] * 2,
            autograph=False,
        )

    def fits(self, *splits: EncodedExamples) -> bool:
        """Says whether the frozen states of these rows may be kept in memory."""
        if self.branch.frozen_depth is None:
            return False
        tokens = sum(int(examples.lengths.sum()) for examples in splits)
        return tokens * self.branch.width * np.dtype(np.float16).itemsize <= self.cache_bytes

    def run(
        self, examples: EncodedExamples, task: str, *, keep_states: bool
    ) -> tuple[Optional[tf.RaggedTensor], np.ndarray]:
        """Passes every row through the encoder once.

        Args:
          examples: the rows.
          task: what to call this in progress reports.
          keep_states: whether to keep the frozen part's output.

        Returns:
          The frozen states, float16 ragged [rows, (tokens), width], or None; and the pooled
          vectors, float32 [rows, width].
        """
        lengths = examples.lengths
        starts = np.concatenate([[0], np.cumsum(lengths)])
        width = self.branch.width
        states = np.empty((starts[-1] if keep_states else 0, width), np.float16)
        vectors = np.empty((len(examples), width), np.float32)
        done = 0
        for rows in inference_batches(lengths, _BATCH):
            batch, pooled = self._forward(
                tf.gather(examples.input_ids, rows), tf.gather(examples.token_type_ids, rows)
            )
            vectors[rows] = pooled.numpy()
            if keep_states:
                for row, row_states in zip(rows, batch.numpy(), strict=True):
                    states[starts[row] : starts[row + 1]] = row_states[: lengths[row]]
            done += len(rows)
            report(task, done, len(examples))
        if not keep_states:
            return None, vectors
        return tf.RaggedTensor.from_row_splits(states, starts, validate=False), vectors

    def _states_and_vectors(
        self, ids: tf.RaggedTensor, types: tf.RaggedTensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        inputs = pad(ids, types)
        states = self.branch.frozen_states(inputs)
        vectors = self.branch.pooled_from(states, inputs)
        return tf.cast(states, tf.float16), vectors
