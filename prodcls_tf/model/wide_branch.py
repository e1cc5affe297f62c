"""The wide branch: a linear classifier over weighted n-grams, which remembers exact words.

Titles carry much in model numbers, brand names and pieces of words that a pretrained vocabulary
cuts apart; a linear model keeps them while BERT generalizes (wide and deep learning, Cheng et al.
2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np
import tensorflow as tf

from prodcls_tf.text.ngrams import HashedNGrams


class NGramWeights(tf.Module):
    """Hashed n-grams as sparse rows of TF-IDF weights, each row of length 1.

    An n-gram that occurs t times in a row weighs `(1 + log t) * idf` (Salton and Buckley 1988). A
    bucket that no training row filled has no column: what was never seen cannot speak.

    Args:
      ngrams: the graph that makes bucket ids of text.
      column: int32 [buckets], the column of each bucket, -1 for none.
      idf: float32 [columns], the weight of each column.
    """

    def __init__(self, ngrams: HashedNGrams, column: np.ndarray, idf: np.ndarray) -> None:
        super().__init__(name="ngram_weights")
        self.ngrams = ngrams
        self.columns = len(idf)
        self.column = tf.Variable(column, trainable=False, dtype=tf.int32, name="column")
        self.idf = tf.Variable(idf, trainable=False, dtype=tf.float32, name="idf")

    @classmethod
    def fit(cls, ngrams: HashedNGrams, frequencies: np.ndarray, rows: int) -> NGramWeights:
        """Weighs n-grams by how rare they are: `idf = 1 + log((1 + rows) / (1 + frequency))`.

        Args:
          ngrams: the graph that makes bucket ids of text.
          frequencies: int [buckets], the number of training rows that fill each bucket.
          rows: number of training rows.

        Returns:
          The weights; there is at least one column, so that shapes are never empty.
        """
        seen = np.flatnonzero(frequencies)
        column = np.full(len(frequencies), -1, np.int32)
        column[seen] = np.arange(len(seen))
        idf = np.log((1.0 + rows) / (1.0 + frequencies[seen])) + 1.0
        return cls(ngrams, column, idf if len(seen) else np.zeros(1))

    def __call__(self, fields: Sequence[tf.Tensor]) -> tf.SparseTensor:
        """Returns float32 sparse [batch, columns] of string tensors [batch]."""
        return self.weigh(self.ngrams(fields))

    def weigh(self, buckets: tf.RaggedTensor) -> tf.SparseTensor:
        """Returns float32 sparse [batch, columns] of bucket ids, int32 [batch, (features)]."""
        rows = tf.cast(buckets.value_rowids(), tf.int64)
        columns = tf.cast(tf.gather(self.column, buckets.values), tf.int64)
        known = tf.where(columns >= 0)[:, 0]
        rows, columns = tf.gather(rows, known), tf.gather(columns, known)
        # A row and a column in one number, so that repeats can be counted in one pass.
        cells, _, counts = tf.unique_with_counts(tf.sort(rows * self.columns + columns))
        rows, columns = cells // self.columns, cells % self.columns
        weights = (1.0 + tf.math.log(tf.cast(counts, tf.float32))) * tf.gather(self.idf, columns)
        batch = buckets.nrows(out_type=tf.int64)
        squares = tf.math.unsorted_segment_sum(weights**2, rows, batch)
        weights *= tf.gather(tf.math.rsqrt(tf.maximum(squares, 1e-12)), rows)
        return tf.SparseTensor(
            tf.stack([rows, columns], axis=1), weights, tf.stack([batch, self.columns])
        )


class WideBranch(tf.Module):
    """Scores categories by their n-grams: `weights(text) @ table (@ mix) + bias`.

    Args:
      weights: the sparse rows.
      table: float [columns, categories], or [columns, rank] of a low-rank table.
      bias: float [categories].
      mix: float [rank, categories] of a low-rank table, else None.
    """

    def __init__(
        self,
        weights: NGramWeights,
        table: np.ndarray,
        bias: np.ndarray,
        mix: Optional[np.ndarray] = None,
    ) -> None:
        super().__init__(name="wide_branch")
        self.weights = weights
        self.table = tf.Variable(table.astype(np.float32), trainable=False, name="table")
        self.bias = tf.Variable(bias.astype(np.float32), trainable=False, name="bias")
        self.mix = (
            None
            if mix is None
            else tf.Variable(mix.astype(np.float32), trainable=False, name="mix")
        )

    def __call__(self, fields: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns float32 logits [batch, categories] of string tensors [batch]."""
        logits = tf.sparse.sparse_dense_matmul(self.weights(fields), self.table)
        if self.mix is not None:
            logits = tf.matmul(logits, self.mix)
        return logits + self.bias
