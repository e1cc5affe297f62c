"""Schedules, decay and multipliers, on real variables."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from prodcls_tf.errors import SettingsError
from prodcls_tf.training.optimizer import WarmUpThenDecay, make_optimizer


@pytest.mark.parametrize(
    ("decay", "middle", "end"), [("linear", 0.5, 0.0), ("cosine", 0.5, 0.0), ("constant", 1, 1)]
)
def test_rate_rises_then_falls(decay, middle, end):
    schedule = WarmUpThenDecay(1.0, steps=110, warmup_share=10 / 110, decay=decay)
    rates = [float(schedule(step)) for step in (0, 5, 10, 60, 110, 200)]
    np.testing.assert_allclose(rates, [0.0, 0.5, 1.0, middle, end, end], atol=1e-6)


def test_no_warm_up_begins_at_the_peak():
    assert float(WarmUpThenDecay(0.3, steps=10, warmup_share=0.0)(0)) == pytest.approx(0.3, rel=0.2)


def step(name, variables, gradients, **options):
    options = {"weight_decay": 0.0, "clip_norm": 0.0, **options}
    schedule = WarmUpThenDecay(0.1, 100, warmup_share=0.0, decay="constant")
    optimizer = make_optimizer(name, schedule, **options)
    run = tf.function(lambda: optimizer.apply_gradients(zip(gradients, variables, strict=True)))
    run()
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_multiplier_scales_a_variable_s_step(name):
    variables = [tf.Variable([0.0], name=n) for n in ("slow", "fast", "frozen")]
    gradients = [tf.constant([1.0])] * 3
    multipliers = {"slow:0": 0.5, "frozen:0": 0.0}
    slow, fast, frozen = step(name, variables, gradients, multipliers=multipliers)
    np.testing.assert_allclose(slow, 0.5 * fast, rtol=1e-5)
    assert fast[0] < 0 and frozen[0] == 0


def test_decay_spares_bias_and_layer_norm():
    names = ("dense/kernel", "dense/bias", "LayerNorm/gamma")
    variables = [tf.Variable([1.0], name=name) for name in names]
    gradients = [tf.constant([0.0])] * 3
    kernel, bias, gain = step("adamw", variables, gradients, weight_decay=0.5)
    assert kernel[0] < 1.0
    assert bias[0] == gain[0] == 1.0


def test_gradients_are_clipped_to_a_global_norm():
    variables = [tf.Variable([0.0], name="a"), tf.Variable([0.0], name="b")]
    gradients = [tf.constant([30.0]), tf.constant([40.0])]
    moved = np.concatenate(step("sgd", variables, gradients, clip_norm=1.0))
    np.testing.assert_allclose(moved, [-0.06, -0.08], rtol=1e-5)


def test_unknown_optimizer_is_refused():
    with pytest.raises(SettingsError, match="lion"):
        make_optimizer("lion", WarmUpThenDecay(1.0, 1), weight_decay=0.0, clip_norm=0.0)
