"""Schedules, decay and multipliers, on real variables."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from prodcls_tf.errors import SettingsError
from prodcls_tf.training.optimizer import WarmUpThenDecay, gradient_norm_of, make_optimizer


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
    apply = optimizer.apply_gradients
    tf.function(lambda: apply(zip(gradients, variables, strict=True)), autograph=False)()
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


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_norm_is_that_before_clipping(clip_norm):
    variables = [tf.Variable([0.0], name="a"), tf.Variable([0.0], name="b")]
    schedule = WarmUpThenDecay(0.1, 100, warmup_share=0.0, decay="constant")
    optimizer = make_optimizer("sgd", schedule, weight_decay=0.0, clip_norm=clip_norm)
    assert gradient_norm_of(optimizer) == 0.0
    gradients = [tf.constant([30.0]), tf.constant([40.0])]
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
    assert gradient_norm_of(optimizer) == pytest.approx(50.0)


def test_norm_is_without_the_scale_of_the_loss():
    variable = tf.Variable([0.0])
    schedule = WarmUpThenDecay(0.1, 100, warmup_share=0.0, decay="constant")
    inner = make_optimizer("sgd", schedule, weight_decay=0.0, clip_norm=1.0)
    optimizer = tf.keras.mixed_precision.LossScaleOptimizer(inner, initial_scale=1024)
    optimizer.minimize(lambda: 3.0 * variable, [variable])
    assert gradient_norm_of(optimizer) == pytest.approx(3.0)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_watching_the_norm_changes_no_bit_of_the_weights(name):
    random = np.random.default_rng(0)
    gradients = [random.normal(size=[50, 7]).astype(np.float32) * 9 for _ in range(2)]
    watched = [tf.Variable(tf.ones([50, 7]), name=n) for n in ("a", "b")]
    plain = [tf.Variable(tf.ones([50, 7]), name=n) for n in ("a", "b")]
    schedule = WarmUpThenDecay(0.1, 100, warmup_share=0.0, decay="constant")
    kind = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD"}[name]
    options = {"adamw": {"weight_decay": 0.1}, "sgd": {"momentum": 0.9}}.get(name, {})
    keras = getattr(tf.keras.optimizers, kind)(schedule, global_clipnorm=1.0, **options)
    ours = make_optimizer(name, schedule, weight_decay=0.1, clip_norm=1.0)
    for _ in range(5):
        ours.apply_gradients(zip(gradients, watched, strict=True))
        keras.apply_gradients(zip(gradients, plain, strict=True))
    for mine, theirs in zip(watched, plain, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_unknown_optimizer_is_refused():
    with pytest.raises(SettingsError, match="lion"):
        make_optimizer("lion", WarmUpThenDecay(1.0, 1), weight_decay=0.0, clip_norm=0.0)
