"""Training over several devices: two logical CPUs stand for two GPUs."""

from __future__ import annotations

import json

import pytest

_TRAINING = """
import json, sys
import tensorflow as tf
import prodcls_tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from prodcls_tf import ProductClassifier
from tests.tiny import DEEP, tiny_rows, tiny_settings

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
classifier = ProductClassifier(tiny_settings(sys.argv[1], "training.epochs=2", DEEP))
trained = classifier.fit(
    tiny_rows(150), checkpoint_dir=sys.argv[2], strategy=strategy, log_dir=sys.argv[2] + "/logs"
)
again = ProductClassifier(classifier.settings)
again.fit(tiny_rows(150), checkpoint_dir=sys.argv[2], strategy=strategy)
title = ["acme case 12"]
print(json.dumps([
    len(trained.history),
    classifier.evaluate(tiny_rows(60, seed=5)).accuracy,
    classifier.predict(title)[0].score - again.predict(title)[0].score,
]))
"""


_STEPS = """
import json
import tensorflow as tf
import prodcls_tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from prodcls_tf.training.optimizer import WarmUpThenDecay, gradient_norm_of, make_optimizer

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def step(gradients, **options):
    with strategy.scope():
        variable = tf.Variable(0.0, name="slow")
        schedule = WarmUpThenDecay(1.0, 10, warmup_share=0.0, decay="constant")
        optimizer = make_optimizer("sgd", schedule, weight_decay=0.0, **options)

    def apply():
        device = tf.distribute.get_replica_context().replica_id_in_sync_group
        optimizer.apply_gradients([(tf.gather(gradients, device), variable)])

    strategy.run(tf.function(apply, autograph=False))
    values = strategy.experimental_local_results(variable)
    return [float(value) for value in values], float(gradient_norm_of(optimizer))

print(json.dumps([
    step([1.0, 1.0], clip_norm=0.0),
    step([1.0, 1.0], clip_norm=0.0, multipliers={"slow:0": 0.5}),
    step([3.0, 7.0], clip_norm=1.0),
]))
"""


@pytest.fixture(scope="module")
def steps(fresh_python):
    """Values on both devices and norm after a usual step, a slowed one and a clipped one."""
    return json.loads(fresh_python(_STEPS).splitlines()[-1])


def test_norm_is_that_of_all_devices_together(steps):
    assert steps[2][1] == 3.0 + 7.0


def test_multiplier_holds_on_every_device(steps):
    (usual, _), (slowed, _), _ = steps
    assert slowed[0] == slowed[1] == usual[0] / 2 != 0


def test_training_on_two_devices_learns_and_is_taken_up_again(tiny_encoder, tmp_path, fresh_python):
    code = _TRAINING.replace("sys.argv[1]", repr(str(tiny_encoder)))
    printed = fresh_python(code.replace("sys.argv[2]", repr(str(tmp_path / "checkpoints"))))
    epochs, accuracy, difference = json.loads(printed.splitlines()[-1])
    assert epochs == 2
    assert accuracy > 0.9
    assert abs(difference) < 1e-5
