"""tf.data pipelines over encoded rows: padded batches, made of ids or of frozen states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Optional

import numpy as np
import tensorflow as tf

from prodcls_tf import features
from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.model.deep_branch import FROZEN_STATES, pad
from prodcls_tf.training.batches import inference_batches, training_batches

_MULTIPLE = 8

# Batches that are made at a time; they are gathered and padded much faster than trained on.
_AT_A_TIME = 2


def training_dataset(
    examples: EncodedExamples,
    states: Optional[tf.RaggedTensor],
    *,
    batch_size: int,
    seed: int,
    first_epoch: int,
) -> tf.data.Dataset:
    """Endless batches for training, epoch after epoch, each epoch in an order of its own.

    Args:
      examples: the rows.
      states: float16 ragged [rows, (tokens), width], the frozen part's outputs, or None to start
        from the ids.
      batch_size: rows a batch.
      seed: of the run.
      first_epoch: the epoch to begin with, so that a resumed training sees the batches that it
        would have seen.

    Returns:
      Pairs of model inputs and labels; `ceil(rows / batch_size)` of them are an epoch.
    """

    def batches() -> Iterator[np.ndarray]:
        epoch = first_epoch
        while True:
            yield from training_batches(examples.lengths, batch_size, seed=seed * 1009 + epoch)
            epoch += 1

    return _dataset(examples, states, batches)


def inference_dataset(
    examples: EncodedExamples, states: Optional[tf.RaggedTensor], *, batch_size: int
) -> tf.data.Dataset:
    """Batches for measuring, shortest rows first, each row once; see `training_dataset`."""
    order = list(inference_batches(examples.lengths, batch_size))
    dataset = _dataset(examples, states, lambda: order)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(order)))


def _dataset(
    examples: EncodedExamples,
    states: Optional[tf.RaggedTensor],
    batches: Callable[[], Iterable[np.ndarray]],
) -> tf.data.Dataset:
    labels = tf.constant(examples.labels)

    @tf.autograph.experimental.do_not_convert
    def gather(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        if states is None:
            inputs = pad(
                tf.gather(examples.input_ids, rows),
                tf.gather(examples.token_type_ids, rows),
                _MULTIPLE,
            )
        else:
            inputs = pad_states(tf.gather(states, rows))
        return inputs, tf.gather(labels, rows)

    dataset = tf.data.Dataset.from_generator(
        batches, output_signature=tf.TensorSpec([None], tf.int64)
    )
    options = tf.data.Options()
    # Every replica of one machine takes its part of each batch; no file-wise sharding.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # An iterator whose tuning is on waits at its end for the tuner: up to as long again as it ran.
    options.autotune.enabled = False
    return dataset.map(gather, _AT_A_TIME).prefetch(4).with_options(options)


def pad_states(states: tf.RaggedTensor) -> dict[str, tf.Tensor]:
    """Pads frozen states [batch, (tokens), width] as `pad` does ids; they become float32."""
    dense = tf.cast(states.to_tensor(), tf.float32)
    length = tf.shape(dense)[1]
    mask = tf.sequence_mask(states.row_lengths(), length, tf.int32)
    gap = -length % _MULTIPLE
    return {
        FROZEN_STATES: tf.pad(dense, [[0, 0], [0, gap], [0, 0]]),
        features.ATTENTION_MASK: tf.pad(mask, [[0, 0], [0, gap]]),
    }
