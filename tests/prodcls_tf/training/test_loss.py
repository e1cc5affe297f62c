"""Loss and streaming metric, against arithmetic done another way."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from prodcls_tf.training.loss import MacroF1, SmoothedCrossEntropy, class_weights

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5]], np.float32)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def test_loss_without_options_is_the_cross_entropy():
    loss = SmoothedCrossEntropy(np.ones(3))(np.array([0, 2]), LOGITS)
    assert float(loss) == pytest.approx(-log_softmax(LOGITS)[[0, 1], [0, 2]].mean(), rel=1e-5)


def test_smoothing_spreads_mass_over_all_categories():
    loss = SmoothedCrossEntropy(np.ones(3), smoothing=0.3)(np.array([0, 2]), LOGITS)
    target = np.full((2, 3), 0.1)
    target[[0, 1], [0, 2]] += 0.7
    assert float(loss) == pytest.approx(-(target * log_softmax(LOGITS)).sum(1).mean(), rel=1e-5)


def test_class_weights_multiply_the_rows_losses():
    losses = SmoothedCrossEntropy(np.array([1.0, 1.0, 4.0])).call(np.array([0, 2]), LOGITS)
    plain = -log_softmax(LOGITS)[[0, 1], [0, 2]]
    np.testing.assert_allclose(losses, plain * [1, 4], rtol=1e-5)


def test_class_weights_have_mean_one_over_rows_and_favour_rare_categories():
    labels = np.array([0] * 90 + [1] * 10)
    weights = class_weights(labels, 3, exponent=0.5)
    assert weights[labels].mean() == pytest.approx(1.0)
    assert weights[1] / weights[0] == pytest.approx(3.0)


def test_exponent_zero_weighs_all_alike():
    assert class_weights(np.array([0, 0, 1]), 2, exponent=0.0).tolist() == [1.0, 1.0]


def test_macro_f1_over_batches_equals_scikit_learn_over_all_rows():
    random = np.random.default_rng(3)
    labels = random.integers(0, 5, 200)
    logits = random.normal(size=(200, 7)).astype(np.float32)
    logits[:, 6] = -9.0
    metric = MacroF1(7)
    for start in range(0, 200, 64):
        metric.update_state(labels[start : start + 64], logits[start : start + 64])
    expected = f1_score(labels, logits.argmax(1), average="macro", zero_division=0)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


def test_macro_f1_forgets_after_a_reset():
    metric = MacroF1(3)
    metric.update_state(np.array([0, 1]), LOGITS)
    metric.reset_state()
    assert float(metric.result()) == 0.0
