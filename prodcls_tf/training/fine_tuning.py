"""Fine-tunes the deep branch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Optional, Union

import tensorflow as tf

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.model.deep_branch import DeepBranch
from prodcls_tf.settings import TrainingSettings
from prodcls_tf.training.callbacks import Checkpoints, ProgressReport
from prodcls_tf.training.inputs import inference_dataset, training_dataset
from prodcls_tf.training.loss import MacroF1, SmoothedCrossEntropy, class_weights
from prodcls_tf.training.optimizer import (
    WarmUpThenDecay,
    layerwise_multipliers,
    make_optimizer,
)
from prodcls_tf.training.step_curves import InputClock, StepCurves
from prodcls_tf.training.wandb_curves import WandbCurves
from prodcls_tf.training.wandb_run import WandbRun

_INFERENCE_BATCH = 64

_PROFILE_FROM = 10

# What `auto` epochs come to: few rows are seen six times, many only as often as makes this many
# steps, but no less than twice.
_MOST_EPOCHS, _LEAST_EPOCHS, _STEPS = 6, 2, 2_400


def fine_tune(
    branch: DeepBranch,
    train: EncodedExamples,
    val: EncodedExamples,
    settings: TrainingSettings,
    *,
    train_states: Optional[tf.RaggedTensor] = None,
    val_states: Optional[tf.RaggedTensor] = None,
    log_dir: Optional[Path] = None,
    profile_steps: int = 0,
    checkpoint_dir: Optional[Path] = None,
    wandb_run: Optional[WandbRun] = None,
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
) -> list[dict[str, float]]:
    """Trains a deep branch and leaves it with the weights of its best epoch.

    Args:
      branch: the model, as pretrained; changed in place.
      train: rows to learn from.
      val: rows that choose the best epoch, by macro-F1.
      settings: optimizer, rates, epochs and the like.
      train_states: frozen states of the training rows, see `FrozenPart`; None to start from ids.
      val_states: the same of the validation rows.
      log_dir: where TensorBoard's logs go; None for none.
      profile_steps: steps whose profile goes there too, some way into the training; 0 for none.
      checkpoint_dir: where to keep checkpoints; a killed training goes on from them.
      wandb_run: gets the curves, too; None for none.
      callbacks: others that watch the training; called last.

    Returns:
      One dict an epoch: loss, accuracy, macro_f1, and the same with `val_` before them.
    """
    steps = math.ceil(len(train) / settings.batch_size)
    epochs = resolve_epochs(settings.epochs, steps)
    compile_branch(branch, train, settings, steps * epochs)
    checkpoints = Checkpoints(
        checkpoint_dir,
        settings.patience,
        settings.weight_average,
        _digest(branch, train, val, settings),
    )
    done = checkpoints.restore(branch)
    if wandb_run is not None:
        # Each run is whole, that of a training which goes on, too.
        for epoch, figures in enumerate(checkpoints.history):
            wandb_run.add_epoch(epoch, figures)
    if _finished(checkpoints, done, epochs, settings.patience):
        checkpoints.set_model(branch)
        checkpoints.on_train_end()
        return checkpoints.history
    batches = training_dataset(
        train,
        train_states,
        batch_size=settings.batch_size,
        seed=settings.seed,
        first_epoch=done,
    )
    watching: list[tf.keras.callbacks.Callback] = [
        checkpoints,
        ProgressReport(epochs, steps),
    ]
    if log_dir is not None:
        clock = InputClock()
        batches = clock.around(batches)
        profiled = profiled_steps(profile_steps, steps * (epochs - done))
        watching += [
            # A number lets StepCurves write to its summaries, `epoch` would not; one that no step
            # reaches keeps Keras from drawing curves of its own while it profiles.
            tf.keras.callbacks.TensorBoard(
                str(log_dir), write_graph=False, update_freq=2**62, profile_batch=profiled
            ),
            StepCurves(len(train), steps, epochs, clock, wandb_run.add_step if wandb_run else None),
        ]
    if wandb_run is not None:
        watching.append(WandbCurves(wandb_run))
    branch.fit(
        batches,
        validation_data=inference_dataset(val, val_states, batch_size=_INFERENCE_BATCH),
        epochs=epochs,
        initial_epoch=done,
        steps_per_epoch=steps,
        callbacks=[*watching, *callbacks],
        verbose=0,
    )
    return checkpoints.history


def compile_branch(
    branch: DeepBranch, train: EncodedExamples, settings: TrainingSettings, steps: int
) -> None:
    """Gives the model its loss, metrics and optimizer.

    Args:
      branch: the model.
      train: the training rows, whose labels give the class weights.
      settings: of training.
      steps: batches in all.
    """
    categories = branch.bert.config.num_labels
    schedule = WarmUpThenDecay(
        resolve_learning_rate(settings.learning_rate, branch.width),
        steps,
        settings.warmup_share,
        settings.schedule,
    )
    branch.compile(
        optimizer=make_optimizer(
            settings.optimizer,
            schedule,
            weight_decay=settings.weight_decay,
            clip_norm=settings.clip_norm,
            multipliers=layerwise_multipliers(
                branch, settings.layer_decay, settings.head_multiplier
            ),
        ),
        loss=SmoothedCrossEntropy(
            class_weights(train.labels, categories, settings.class_weight_exponent),
            settings.label_smoothing,
        ),
        metrics=[
            tf.keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            MacroF1(categories),
        ],
        # XLA compiles each batch shape anew; that pays on a GPU alone.
        jit_compile=bool(tf.config.list_physical_devices("GPU")) and settings.xla,
    )


def resolve_epochs(setting: Union[Literal["auto"], int], steps: int) -> int:
    """Says what `auto` epochs are for so many batches an epoch.

    Example:
      >>> [resolve_epochs("auto", steps) for steps in (50, 775, 30_000)]
      [6, 3, 2]
    """
    if setting != "auto":
        return setting
    return min(_MOST_EPOCHS, max(_LEAST_EPOCHS, round(_STEPS / steps)))


def resolve_learning_rate(setting: Union[Literal["auto"], float], width: int) -> float:
    """Says what the `auto` learning rate is for an encoder.

    Wider encoders want smaller steps: 5e-5 is the usual rate of a BERT of width 768 (Devlin et
    al. 2019, appendix A.3), and 2e-4 is what validation rows chose for one of width 384.

    Example:
      >>> [resolve_learning_rate("auto", width) for width in (384, 768)]
      [0.0002, 5e-05]
    """
    if setting != "auto":
        return setting
    return min(5e-4, 2e-4 * (384 / width) ** 2)


def profiled_steps(wanted: int, steps: int) -> Union[int, tuple[int, int]]:
    """Chooses the steps that are profiled, as Keras's TensorBoard callback takes them.

    The first steps trace graphs and fill caches, so the tenth is the first that is profiled; in a
    shorter training it is an earlier one.

    Args:
      wanted: how many.
      steps: steps that the training has.

    Returns:
      The first and last one, counted from 1; 0 for none.

    Example:
      >>> profiled_steps(3, steps=100), profiled_steps(3, steps=8), profiled_steps(0, steps=100)
      ((10, 12), (6, 8), 0)
    """
    if not wanted:
        return 0
    first = max(1, min(_PROFILE_FROM, steps - wanted + 1))
    return first, min(first + wanted - 1, steps)


def _digest(
    branch: DeepBranch, train: EncodedExamples, val: EncodedExamples, settings: TrainingSettings
) -> str:
    """What makes a training this one and no other."""
    digest = hashlib.sha256(settings.model_dump_json().encode())
    digest.update(branch.bert.config.to_json_string().encode())
    digest.update(f"{branch.pooling} {branch.frozen_depth} {branch.token_dropout}".encode())
    for rows in (train, val):
        digest.update(rows.input_ids.flat_values.numpy().tobytes())
        digest.update(rows.labels.tobytes())
    return digest.hexdigest()


def _finished(checkpoints: Checkpoints, done: int, epochs: int, patience: int) -> bool:
    """Says whether what was restored is a whole training."""
    stopped_early = done - 1 - checkpoints.best_epoch >= patience
    return done >= epochs or (done > 0 and stopped_early)
