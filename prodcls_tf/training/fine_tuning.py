"""Fine-tunes the deep branch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Optional

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

_INFERENCE_BATCH = 64


def fine_tune(
    branch: DeepBranch,
    train: EncodedExamples,
    val: EncodedExamples,
    settings: TrainingSettings,
    *,
    train_states: Optional[tf.RaggedTensor] = None,
    val_states: Optional[tf.RaggedTensor] = None,
    log_dir: Optional[Path] = None,
    checkpoint_dir: Optional[Path] = None,
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
      checkpoint_dir: where to keep checkpoints; a killed training goes on from them.

    Returns:
      One dict an epoch: loss, accuracy, macro_f1, and the same with `val_` before them.
    """
    steps = math.ceil(len(train) / settings.batch_size)
    compile_branch(branch, train, settings, steps)
    checkpoints = Checkpoints(checkpoint_dir, settings.patience, settings.weight_average)
    done = checkpoints.restore(branch)
    if _finished(checkpoints, done, settings):
        checkpoints.set_model(branch)
        checkpoints.on_train_end()
        return checkpoints.history
    callbacks: list[tf.keras.callbacks.Callback] = [
        checkpoints,
        ProgressReport(settings.epochs, steps),
    ]
    if log_dir is not None:
        callbacks.append(
            tf.keras.callbacks.TensorBoard(str(log_dir), write_graph=False, update_freq=20)
        )
    branch.fit(
        training_dataset(
            train,
            train_states,
            batch_size=settings.batch_size,
            seed=settings.seed,
            first_epoch=done,
        ),
        validation_data=inference_dataset(val, val_states, batch_size=_INFERENCE_BATCH),
        epochs=settings.epochs,
        initial_epoch=done,
        steps_per_epoch=steps,
        callbacks=callbacks,
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
      steps: batches an epoch.
    """
    categories = branch.bert.config.num_labels
    schedule = WarmUpThenDecay(
        settings.learning_rate,
        steps * settings.epochs,
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


def _finished(checkpoints: Checkpoints, done: int, settings: TrainingSettings) -> bool:
    """Says whether what was restored is a whole training."""
    stopped_early = done - 1 - checkpoints.best_epoch >= settings.patience
    return done >= settings.epochs or (done > 0 and stopped_early)
