"""Scores of many rows."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.model.deep_branch import pad
from prodcls_tf.model.product_model import ProductModel
from prodcls_tf.progress import report
from prodcls_tf.training.batches import inference_batches

_BATCH = 64


class BranchScorer:
    """Computes what each branch of a model says of many rows; traces its graph once.

    Args:
      model: the classifier.

    Example:
      >>> deep, wide = BranchScorer(model).logits(examples, "test")  # doctest: +SKIP
    """

    def __init__(self, model: ProductModel) -> None:
        self._model = model
        self._forward = functools.cache(self._graph)

    def logits(self, examples: EncodedExamples, name: str) -> list[np.ndarray]:
        """Scores rows.

        Args:
          examples: the rows.
          name: of the split, for progress reports.

        Returns:
          The deep branch's logits and, where there is one, the wide branch's, each float32
          [rows, categories].
        """
        branches = 1 if self._model.wide is None else 2
        categories = self._model.deep.bert.config.num_labels
        outputs = np.empty((branches, len(examples), categories), np.float32)
        done = 0
        for rows in inference_batches(examples.lengths, _BATCH):
            batch = examples.take(rows)
            forward = self._forward(len(batch.texts))
            outputs[:, rows] = np.stack(
                forward(batch.input_ids, batch.token_type_ids, *batch.texts.values())
            )
            done += len(rows)
            report(f"measuring {name}", done, len(examples))
        return list(outputs)

    def scores(self, examples: EncodedExamples, name: str = "rows") -> np.ndarray:
        """Returns float32 scores [rows, categories], each row with sum 1."""
        return self.fuse(self.logits(examples, name))

    def fuse(self, logits: list[np.ndarray]) -> np.ndarray:
        """Returns the scores of branch logits that are computed already."""
        total = self._model.deep_weight * logits[0]
        if self._model.wide is not None:
            total = total + self._model.wide_weight * logits[1]
        return tf.nn.softmax(total).numpy()

    def _graph(self, fields: int) -> Callable[..., list[tf.Tensor]]:
        ids = tf.RaggedTensorSpec([None, None], tf.int32)
        texts = [tf.TensorSpec([None], tf.string)] * fields
        return tf.function(self._branches, input_signature=[ids, ids, *texts], autograph=False)

    def _branches(
        self, ids: tf.RaggedTensor, types: tf.RaggedTensor, *fields: tf.Tensor
    ) -> list[tf.Tensor]:
        logits = [self._model.deep(pad(ids, types), training=False)]
        return logits if self._model.wide is None else [*logits, self._model.wide(fields)]
