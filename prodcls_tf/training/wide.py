"""Fits the wide branch: a linear SVM over TF-IDF weighted n-grams."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import tensorflow as tf
from sklearn.svm import LinearSVC

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.model.wide_branch import NGramWeights, WideBranch
from prodcls_tf.progress import report
from prodcls_tf.settings import WideSettings
from prodcls_tf.text.ngrams import HashedNGrams

_CHUNK = 4096


def fit_wide(
    train: EncodedExamples, categories: int, settings: WideSettings, seed: int
) -> WideBranch:
    """Fits a wide branch to raw texts.

    One squared-hinge classifier a category against the rest (liblinear, Fan et al. 2008), which
    keeps rare categories apart better than one softmax over all does. Its margins become logits
    when the branches are weighed on validation rows.

    Args:
      train: rows with their texts.
      categories: number of categories.
      settings: n-gram ranges, buckets, regularization.
      seed: of liblinear's order of rows.

    Returns:
      The fitted branch.
    """
    ngrams = HashedNGrams(settings.buckets, settings.word_ngrams, settings.char_ngrams)
    frequencies = _frequencies(ngrams, train, settings.buckets)
    weights = NGramWeights.fit(ngrams, frequencies, len(train))
    rows = _matrix(weights, train)
    report("fitting the wide branch", 0, 1)
    svm = LinearSVC(C=settings.strength, random_state=seed).fit(rows, train.labels)
    table = np.zeros((weights.columns, categories), np.float32)
    bias = np.full(categories, -1.0, np.float32)
    if len(svm.classes_) == 2:
        # Two classes share one margin in scikit-learn.
        table[:, svm.classes_] = np.concatenate([-svm.coef_, svm.coef_]).T
        bias[svm.classes_] = np.concatenate([-svm.intercept_, svm.intercept_])
    else:
        table[:, svm.classes_] = svm.coef_.T
        bias[svm.classes_] = svm.intercept_
    report("fitting the wide branch", 1, 1)
    return WideBranch(weights, table, bias)


def _chunks(examples: EncodedExamples) -> list[tuple[tf.Tensor, ...]]:
    columns = tuple(examples.texts.values())
    return [
        tuple(column[start : start + _CHUNK] for column in columns)
        for start in range(0, len(examples), _CHUNK)
    ]


def _frequencies(ngrams: HashedNGrams, train: EncodedExamples, buckets: int) -> np.ndarray:
    """Counts the rows that fill each bucket."""

    @tf.function(autograph=False, reduce_retracing=True)
    def count(*fields: tf.Tensor) -> tf.Tensor:
        ids = ngrams(fields)
        rows = tf.cast(ids.value_rowids(), tf.int64)
        cells, _ = tf.unique(rows * buckets + tf.cast(ids.values, tf.int64))
        return tf.math.bincount(
            tf.cast(cells % buckets, tf.int32), minlength=buckets, maxlength=buckets
        )

    return np.sum([count(*chunk).numpy() for chunk in _chunks(train)], axis=0)


def _matrix(weights: NGramWeights, examples: EncodedExamples) -> scipy.sparse.csr_matrix:
    run = tf.function(lambda *fields: weights(fields), autograph=False, reduce_retracing=True)
    parts = []
    for chunk in _chunks(examples):
        sparse = run(*chunk)
        rows, columns = sparse.indices.numpy().T
        parts.append(
            scipy.sparse.csr_matrix(
                (sparse.values.numpy(), (rows, columns)), shape=sparse.dense_shape.numpy()
            )
        )
    return scipy.sparse.vstack(parts, format="csr")
