"""Weights of the branches."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from prodcls_tf.training.fusion import fit_weights

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 4, 500)
RIGHT = np.eye(4)[LABELS]


def loss(weights, branches):
    logits = sum(w * b for w, b in zip(weights, branches, strict=True))
    return -log_softmax(logits, axis=1)[np.arange(len(LABELS)), LABELS].mean()


def test_weights_explain_the_labels_better_than_any_branch_alone():
    branches = [RIGHT + RANDOM.normal(size=RIGHT.shape) for _ in range(2)]
    weights = fit_weights(branches, LABELS)
    assert loss(weights, branches) < min(loss([2, 0], branches), loss([0, 2], branches))
    assert (weights > 0.5).all()


def test_branch_of_noise_gets_almost_no_weight():
    noise = RANDOM.normal(size=RIGHT.shape)
    weights = fit_weights([RIGHT + 0.3 * RANDOM.normal(size=RIGHT.shape), noise], LABELS)
    assert weights[1] < 0.05 * weights[0]


def test_weights_stay_bounded_where_every_row_is_right():
    assert np.isfinite(fit_weights([RIGHT, RIGHT], LABELS)).all()
    assert fit_weights([RIGHT, RIGHT], LABELS).max() <= 20.0


def test_rows_that_no_branch_gets_right_silence_none():
    wrong = np.array([[5.0, 0.0]])
    assert fit_weights([wrong, wrong], np.array([1])).tolist() == [1.0, 1.0]


def test_single_branch_gets_a_temperature():
    overconfident = 8 * (RIGHT + RANDOM.normal(size=RIGHT.shape))
    assert 0.0 < fit_weights([overconfident], LABELS)[0] < 1.0
