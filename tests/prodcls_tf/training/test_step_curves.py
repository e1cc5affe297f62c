"""The clock around the input, and which steps of a training get a point."""

from __future__ import annotations

import time

import pytest
import tensorflow as tf

from prodcls_tf.training.optimizer import WarmUpThenDecay, make_optimizer
from prodcls_tf.training.step_curves import InputClock, StepCurves

BATCHES = 30


def batches(seconds: float) -> tf.data.Dataset:
    """Batches that take so long each to make, four of them made ahead."""

    def make():
        for number in range(BATCHES):
            time.sleep(seconds)
            yield number

    spec = tf.TensorSpec([], tf.int64)
    return tf.data.Dataset.from_generator(make, output_signature=spec).prefetch(4)


def waited(making: float, using: float) -> float:
    clock = InputClock()
    for _ in clock.around(batches(making)):
        time.sleep(using)
    return clock.seconds


def test_slow_input_is_waited_for():
    # What is made during a step is not waited for; a busy machine may only add.
    assert waited(making=0.03, using=0.01) > 0.7 * BATCHES * 0.02


def test_input_made_ahead_is_not_waited_for():
    assert waited(making=0.0, using=0.02) < 0.2 * BATCHES * 0.02


def test_clock_changes_no_batch():
    numbers = [int(number) for number in InputClock().around(batches(0.0))]
    assert numbers == list(range(BATCHES))


class Line(tf.keras.Sequential):
    """One small layer; Keras's Python is not converted, which would take half a minute."""

    def __init__(self) -> None:
        super().__init__([tf.keras.layers.Dense(1, input_shape=[2])])

    @tf.autograph.experimental.do_not_convert
    def train_step(self, data):
        return super().train_step(data)


def points(
    folder, *, rows: int, batch_size: int, epochs: int, planned: int = 0
) -> dict[str, list[int]]:
    """The steps at which each curve has a point after a training of one small layer.

    More epochs may be planned than are trained.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    steps = -(-rows // batch_size)
    model = Line()
    schedule = WarmUpThenDecay(0.01, steps * epochs)
    model.compile(make_optimizer("sgd", schedule, weight_decay=0.0, clip_norm=1.0), "mse")
    clock = InputClock()
    data = tf.data.Dataset.from_tensor_slices((tf.ones([rows, 2]), tf.ones([rows])))
    model.fit(
        clock.around(data.repeat().batch(batch_size)),
        epochs=epochs,
        steps_per_epoch=steps,
        verbose=0,
        callbacks=[
            tf.keras.callbacks.TensorBoard(str(folder), write_graph=False, update_freq=2**62),
            StepCurves(rows, steps, planned or epochs, clock),
        ],
    )
    events = EventAccumulator(str(folder / "train"), size_guidance={"tensors": 0})
    events.Reload()
    tags = [tag for tag in events.Tags()["tensors"] if not tag.startswith("epoch_")]
    return {tag: [event.step for event in events.Tensors(tag)] for tag in tags}


def test_every_twentieth_step_of_an_epoch_has_a_point(tmp_path):
    drawn = points(tmp_path, rows=100, batch_size=2, epochs=2)
    assert set(drawn) == {
        "step/loss",
        "step/learning_rate",
        "step/gradient_norm",
        "step/examples_per_second",
        "step/input_wait_share",
    }
    assert all(steps == [20, 40, 70, 90] for steps in drawn.values())


def test_short_epoch_has_a_point_at_its_end(tmp_path):
    assert points(tmp_path, rows=10, batch_size=2, epochs=3)["step/loss"] == [5, 10, 15]


@pytest.mark.parametrize("epochs", [1, 2])
def test_step_that_is_traced_counts_for_no_speed(tmp_path, epochs):
    drawn = points(tmp_path, rows=4, batch_size=4, epochs=epochs)
    assert drawn["step/gradient_norm"] == [1, 2][:epochs]
    assert drawn.get("step/examples_per_second", []) == [2][: epochs - 1]


def test_long_training_has_fewer_points(tmp_path):
    drawn = points(tmp_path, rows=300, batch_size=1, epochs=1, planned=500)
    assert drawn["step/loss"] == [150, 300]
