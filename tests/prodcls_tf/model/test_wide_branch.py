"""The wide branch's weights, against scikit-learn's arithmetic on the same counts."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from sklearn.feature_extraction.text import TfidfTransformer

from prodcls_tf.model.wide_branch import NGramWeights, WideBranch
from prodcls_tf.text.ngrams import HashedNGrams

BUCKETS = 512
TITLES = ["usb cable usb", "cable red", "red red red hat", ""]


def counts(ngrams, titles):
    rows = ngrams([tf.constant(titles)]).to_list()
    return np.array([np.bincount(row, minlength=BUCKETS) for row in rows])


def fitted():
    ngrams = HashedNGrams(BUCKETS, (1, 2), (2, 3))
    matrix = counts(ngrams, TITLES)
    return ngrams, matrix, NGramWeights.fit(ngrams, (matrix > 0).sum(axis=0), len(TITLES))


def test_weights_are_sublinear_tf_idf_rows_of_length_one():
    _, matrix, weights = fitted()
    expected = TfidfTransformer(sublinear_tf=True).fit_transform(matrix).toarray()
    seen = matrix.any(axis=0)
    np.testing.assert_allclose(
        tf.sparse.to_dense(weights([tf.constant(TITLES)])), expected[:, seen], atol=1e-6
    )


def test_ngrams_that_training_never_saw_do_not_count():
    _, matrix, weights = fitted()
    row = weights([tf.constant(["red qqqq"])])
    assert set(row.indices.numpy()[:, 1]) < set(range(int(matrix.any(axis=0).sum())))
    assert weights([tf.constant(["qqqq"])]).values.shape[0] <= 1


def test_branch_of_a_row_without_ngrams_answers_its_bias():
    _, _, weights = fitted()
    branch = WideBranch(weights, np.ones((weights.columns, 2)), np.array([0.5, -0.5]))
    np.testing.assert_allclose(branch([tf.constant([""])]), [[0.5, -0.5]])


def test_empty_batch_gives_no_rows():
    _, _, weights = fitted()
    branch = WideBranch(weights, np.ones((weights.columns, 2)), np.zeros(2))
    assert branch([tf.constant([], tf.string)]).shape == (0, 2)
