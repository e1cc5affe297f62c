"""Fits the wide branch: a linear SVM over TF-IDF weighted n-grams."""

from __future__ import annotations

from collections.abc import Sequence

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
    chunks = _bucket_ids(ngrams, train)
    weights = NGramWeights.fit(ngrams, _frequencies(chunks, settings.buckets), len(train))
    rows = _matrix(weights, chunks)
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


def _bucket_ids(ngrams: HashedNGrams, examples: EncodedExamples) -> list[tf.RaggedTensor]:
    """The rows' n-grams, some thousand rows at a time."""
    columns = tuple(examples.texts.values())
    return [
        ngrams([column[start : start + _CHUNK] for column in columns])
        for start in range(0, len(examples), _CHUNK)
    ]


def _frequencies(chunks: Sequence[tf.RaggedTensor], buckets: int) -> np.ndarray:
    """Counts the rows that fill each bucket."""
    counts = np.zeros(buckets, np.int64)
    for ids in chunks:
        # A row and a bucket in one number, so that repeats within a row count once.
        cells = np.unique(ids.value_rowids().numpy() * buckets + ids.values.numpy())
        counts += np.bincount(cells % buckets, minlength=buckets)
    return counts


def _matrix(weights: NGramWeights, chunks: Sequence[tf.RaggedTensor]) -> scipy.sparse.csr_matrix:
    run = tf.function(weights.weigh, autograph=False, reduce_retracing=True)
    parts = []
    for ids in chunks:
        sparse = run(ids)
        rows, columns = sparse.indices.numpy().T
        parts.append(
            scipy.sparse.csr_matrix(
                (sparse.values.numpy(), (rows, columns)), shape=sparse.dense_shape.numpy()
            )
        )
    return scipy.sparse.vstack(parts, format="csr")
