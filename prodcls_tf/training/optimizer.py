"""Optimizers and learning-rate schedules."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Optional

import tensorflow as tf

from prodcls_tf.errors import SettingsError
from prodcls_tf.model.deep_branch import DeepBranch

# Biases and the gains of LayerNorm are not pulled to zero, as in BERT's published optimizer.
_NO_DECAY = ("bias", "LayerNorm")


# On several devices, all but the first copy of a variable have this in their names.
_REPLICA = re.compile(r"/replica_\d+(?=:)")


class WarmUpThenDecay(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to the peak, then falls to zero (Vaswani et al. 2017; Devlin et al. 2019).

    Args:
      peak: the highest rate.
      steps: training steps in all.
      warmup_share: share of the steps that the rise takes, in [0, 1).
      decay: `linear`, `cosine` (Loshchilov and Hutter 2017), or `constant`.

    Example:
      >>> schedule = WarmUpThenDecay(1.0, steps=100, warmup_share=0.1)
      >>> float(schedule(10)), float(schedule(100))
      (1.0, 0.0)
    """

    def __init__(
        self,
        peak: float,
        steps: int,
        warmup_share: float = 0.1,
        decay: Literal["linear", "cosine", "constant"] = "linear",
    ) -> None:
        super().__init__()
        self.peak = peak
        self.steps = steps
        self.warmup_share = warmup_share
        self.decay = decay

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the rate of a step, a float32 scalar."""
        step = tf.cast(step, tf.float32)
        warmup = tf.constant(max(1.0, self.steps * self.warmup_share))
        rise = tf.minimum(1.0, step / warmup) if self.warmup_share else 1.0
        rest = tf.maximum(1.0, self.steps - warmup)
        progress = tf.clip_by_value((step - warmup) / rest, 0.0, 1.0)
        if self.decay == "linear":
            fall = 1.0 - progress
        elif self.decay == "cosine":
            fall = 0.5 * (1.0 + tf.cos(math.pi * progress))
        else:
            fall = tf.ones_like(progress)
        return self.peak * rise * fall

    def get_config(self) -> dict[str, object]:
        """Returns the arguments, as Keras asks for."""
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup_share": self.warmup_share,
            "decay": self.decay,
        }


def make_optimizer(
    name: Literal["adamw", "adam", "sgd"],
    schedule: tf.keras.optimizers.schedules.LearningRateSchedule,
    *,
    weight_decay: float,
    clip_norm: float,
    multipliers: Optional[Mapping[str, float]] = None,
) -> tf.keras.optimizers.Optimizer:
    """Builds an optimizer.

    Args:
      name: `adamw` (Loshchilov and Hutter 2019), `adam`, or `sgd` with momentum 0.9.
      schedule: the learning rate by step.
      weight_decay: decoupled decay of AdamW; the others use none.
      clip_norm: gradients are scaled down to this global norm; 0 for no clipping.
      multipliers: by variable name, what its learning rate is multiplied with; a variable that
        is not named has 1.

    Returns:
      A Keras optimizer; `gradient_norm_of` reads the norm of its last step.
    """
    clip = clip_norm or None
    if name == "adamw":
        optimizer = _with_multipliers(tf.keras.optimizers.AdamW)(
            schedule, weight_decay=weight_decay, global_clipnorm=clip
        )
        optimizer.exclude_from_weight_decay(var_names=list(_NO_DECAY))
    elif name == "adam":
        optimizer = _with_multipliers(tf.keras.optimizers.Adam)(schedule, global_clipnorm=clip)
    elif name == "sgd":
        optimizer = _with_multipliers(tf.keras.optimizers.SGD)(
            schedule, momentum=0.9, global_clipnorm=clip
        )
    else:
        raise SettingsError(f"The optimizer must be adamw, adam or sgd. Received: {name!r}.")
    optimizer.multipliers = dict(multipliers or {})
    return optimizer


def gradient_norm_of(optimizer: tf.keras.optimizers.Optimizer) -> float:
    """Reads the global norm of the gradients of an optimizer's last step; waits for that step.

    It is taken before clipping, after the gradients of all devices were summed and after the
    scale of the loss was taken off again (float16), so that it can be compared with
    `training.clip_norm` on any machine.

    Args:
      optimizer: as `make_optimizer` built it, or wrapped by Keras for float16.

    Returns:
      The norm; 0 before the first step.

    Example:
      >>> optimizer = make_optimizer("sgd", schedule, weight_decay=0, clip_norm=1)  # doctest: +SKIP
      >>> gradient_norm_of(optimizer)  # doctest: +SKIP
      0.0
    """
    variable = getattr(optimizer, "inner_optimizer", optimizer).gradient_norm
    return float(variable.read_value())


def layerwise_multipliers(branch: DeepBranch, layer_decay: float, head: float) -> dict[str, float]:
    """Lower layers learn more slowly, a head may learn faster.

    Discriminative fine-tuning (Howard and Ruder 2018, section 3.2): what lies low in an encoder
    is general and worth keeping.

    Args:
      branch: the model that is trained.
      layer_decay: each layer's rate over that of the layer above it, in (0, 1].
      head: the head's rate over the top layer's.

    Returns:
      Rates over the base rate by variable name.
    """
    multipliers: dict[str, float] = {}
    layers = branch.layers_of_encoder
    for depth, layer in enumerate(layers):
        for variable in layer.trainable_variables:
            multipliers[variable.name] = layer_decay ** (len(layers) - 1 - depth)
    for variable in branch.bert.bert.embeddings.trainable_variables:
        multipliers[variable.name] = layer_decay ** len(layers)
    for layer in filter(None, (branch.mlp, branch.bert.classifier)):
        for variable in layer.trainable_variables:
            multipliers[variable.name] = head
    return multipliers


@functools.cache
def _with_multipliers(kind: type) -> type:
    """An optimizer of this kind whose rate is multiplied by variable; it keeps the last norm."""

    class WithMultipliers(kind):
        multipliers: Mapping[str, float] = {}
        _current = 1.0

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            # Every device has the same norm, since gradients are summed before: each writes its
            # own copy and nobody waits for the others.
            self.gradient_norm = tf.Variable(
                0.0,
                trainable=False,
                name="gradient_norm",
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )

        def _clip_gradients(self, grads: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
            # Clipping needs the norm in any case; taken once, it costs nothing more, and the
            # clipped gradients are bit for bit those of Keras.
            norm = tf.linalg.global_norm(grads)
            self.gradient_norm.assign(norm)
            if not self.global_clipnorm:
                return grads
            return tf.clip_by_global_norm(grads, self.global_clipnorm, use_norm=norm)[0]

        @property
        def learning_rate(self) -> tf.Tensor:
            return kind.learning_rate.fget(self) * self._current  # type: ignore[attr-defined]

        def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
            # Keras asks for the rate variable by variable, so a factor that is set around each
            # update reaches that update alone.
            name = _REPLICA.sub("", variable.name)
            self._current = self.multipliers.get(name, 1.0)
            try:
                super().update_step(gradient, variable)
            finally:
                self._current = 1.0

    WithMultipliers.__name__ = kind.__name__
    return WithMultipliers
