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
_NO_ROWS = np.empty(0, np.int64)


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
        return self.logits_and_vectors(examples, name)[0]

    def logits_and_vectors(
        self, examples: EncodedExamples, name: str, chosen: np.ndarray = _NO_ROWS
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Scores rows and keeps the vectors of some, which scoring makes on its way.

        Args:
          examples: the rows.
          name: of the split, for progress reports.
          chosen: int [chosen rows], indices of the rows whose vectors are kept; none by default.

        Returns:
          The logits as `logits` has them, and the deep branch's pooled vectors, float32
          [chosen rows, width].
        """
        branches = 1 if self._model.wide is None else 2
        categories = self._model.deep.bert.config.num_labels
        outputs = np.empty((branches, len(examples), categories), np.float32)
        vectors = np.empty((len(chosen), self._model.deep.width), np.float32)
        places = np.full(len(examples), -1)
        places[chosen] = np.arange(len(chosen))
        done = 0
        for rows in inference_batches(examples.lengths, _BATCH):
            batch = examples.take(rows)
            forward = self._forward(len(batch.texts))
            pooled, *logits = forward(batch.input_ids, batch.token_type_ids, *batch.texts.values())
            outputs[:, rows] = np.stack(logits)
            kept = places[rows] >= 0
            vectors[places[rows][kept]] = pooled.numpy()[kept]
            done += len(rows)
            report(f"measuring {name}", done, len(examples))
        return list(outputs), vectors

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
        vectors = self._model.deep.pooled(pad(ids, types), training=False)
        outputs = [vectors, self._model.deep.score(vectors, training=False)]
        return outputs if self._model.wide is None else [*outputs, self._model.wide(fields)]
