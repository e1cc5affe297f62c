"""Fits the wide branch: a linear SVM over TF-IDF weighted n-grams."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import tensorflow as tf
from sklearn.svm import LinearSVC
from sklearn.utils.extmath import randomized_svd

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

    One squared-hinge classifier a category against the rest, by liblinear's dual coordinate
    descent (Hsieh et al. 2008): exact, and within seconds. Its margins become logits when the
    branches are weighed on validation rows.

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
    fitted = LinearSVC(C=settings.strength, dual=True, random_state=seed).fit(rows, train.labels)
    table = np.zeros((weights.columns, categories), np.float32)
    # A category without training rows is as good as ruled out.
    bias = np.full(categories, -20.0, np.float32)
    if len(fitted.classes_) == 2:
        # Two classes share one margin in scikit-learn.
        table[:, fitted.classes_] = np.concatenate([-fitted.coef_, fitted.coef_]).T
        bias[fitted.classes_] = np.concatenate([-fitted.intercept_, fitted.intercept_])
    else:
        table[:, fitted.classes_] = fitted.coef_.T
        bias[fitted.classes_] = fitted.intercept_
    mix = None
    if 0 < settings.rank < min(table.shape):
        table, mix = _factors(table, settings.rank, seed)
    report("fitting the wide branch", 1, 1)
    return WideBranch(weights, table, bias, mix)


def _factors(table: np.ndarray, rank: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The best two matrices of a rank whose product is the table (Halko et al. 2011)."""
    left, values, right = randomized_svd(table, rank, random_state=seed)
    return left * values, right


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
