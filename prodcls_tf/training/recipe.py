"""The stages of training, in order: wide branch, probe, fine-tuning, and their weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np
import tensorflow as tf

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.evaluation.metrics import Metrics
from prodcls_tf.model.deep_branch import DeepBranch
from prodcls_tf.model.product_model import ProductModel
from prodcls_tf.model.storage import build_deep_branch
from prodcls_tf.settings import Settings
from prodcls_tf.text.tokenizer import TextToIds
from prodcls_tf.training.fine_tuning import fine_tune
from prodcls_tf.training.frozen import FrozenPart
from prodcls_tf.training.fusion import fit_weights
from prodcls_tf.training.measuring import BranchScorer
from prodcls_tf.training.precision import precision_scope, resolve_precision
from prodcls_tf.training.probe import start_head
from prodcls_tf.training.projector import EmbeddedRows, rows_to_embed
from prodcls_tf.training.wandb_run import WandbRun
from prodcls_tf.training.warm_start import FormerModel
from prodcls_tf.training.wide import fit_wide

_logger = logging.getLogger(__name__)

# Training rows are measured on a sample: all of them would cost as much as reading them again.
_TRAIN_SAMPLE = 2_000


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Attributes:
      model: the classifier's graph with its best weights.
      history: figures of each epoch of fine-tuning.
      baseline: by split, the metrics of the deep branch before its first step: the untouched
        encoder, or that of the former model, with its first head.
      metrics: by split, the metrics of the finished model; those of the training rows, like their
        baseline, are of a sample of 2,000.
      scores: by split, float32 [rows, categories] of the finished model on the measured rows.
      embedded: some validation rows with their vectors; None where they were not asked for.
    """

    model: ProductModel
    history: list[dict[str, float]]
    baseline: Mapping[str, Metrics] = field(repr=False)
    metrics: Mapping[str, Metrics] = field(repr=False)
    scores: Mapping[str, np.ndarray] = field(repr=False)
    embedded: Optional[EmbeddedRows] = field(default=None, repr=False)


def train(
    settings: Settings,
    text_to_ids: TextToIds,
    encoder_folder: Path,
    categories: Sequence[str],
    splits: Mapping[str, EncodedExamples],
    *,
    log_dir: Optional[Path] = None,
    checkpoint_dir: Optional[Path] = None,
    strategy: Optional[tf.distribute.Strategy] = None,
    wandb_run: Optional[WandbRun] = None,
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
) -> Trained:
    """Trains a classifier.

    The wide branch is a convex fit and the deep branch is fine-tuned beside it, not with it:
    trained together, the wide branch learns the training rows by heart within an epoch and leaves
    BERT nothing to learn. What each has to say is weighed on validation rows.

    Args:
      settings: all of them; `data`, `evaluation`, `push` and `pipeline` play no part here.
      text_to_ids: the graph that made the ids of the splits.
      encoder_folder: the pretrained checkpoint.
      categories: the paths by number.
      splits: `train` and `val`, and any others that are to be measured.
      log_dir: where TensorBoard's logs go.
      checkpoint_dir: where a killed training goes on from.
      strategy: how fine-tuning is spread over devices; None for all GPUs of this machine.
      wandb_run: of Weights & Biases, which gets curves and figures; None for none.
      callbacks: others that watch fine-tuning.

    Returns:
      The model and its figures.
    """
    tf.keras.utils.set_random_seed(settings.training.seed)
    precision = resolve_precision(settings.training.precision)
    _logger.info("training %d rows in %s", len(splits["train"]), precision)
    wide = None
    if settings.wide.enabled:
        wide = fit_wide(splits["train"], len(categories), settings.wide, settings.training.seed)
    with precision_scope(precision), (strategy or _all_gpus()).scope():
        branch = build_deep_branch(encoder_folder, settings, len(categories))
        baseline, states = _prepare(branch, settings, categories, splits)
        history = fine_tune(
            branch,
            splits["train"],
            splits["val"],
            settings.training,
            train_states=states.get("train"),
            val_states=states.get("val"),
            log_dir=log_dir,
            profile_steps=settings.tensorboard.profile_steps,
            checkpoint_dir=checkpoint_dir,
            wandb_run=wandb_run,
            callbacks=callbacks,
        )
        weights = branch.get_weights()
    # Built anew outside of the scopes: the model that is kept computes in float32 on any device.
    deep = build_deep_branch(encoder_folder, settings, len(categories))
    deep.set_weights(weights)
    model = ProductModel(text_to_ids, deep, wide)
    scorer = BranchScorer(model)
    train_rows = _measured_rows("train", splits["train"])
    measured = {**splits, "train": splits["train"].take(train_rows)}
    embed = log_dir is not None and settings.tensorboard.embeddings
    shown = rows_to_embed(len(splits["val"]) if embed else 0)
    logits, vectors = {}, {}
    for name, rows in measured.items():
        chosen = {"chosen": shown} if name == "val" else {}
        logits[name], vectors[name] = scorer.logits_and_vectors(rows, name, **chosen)
    weigh_branches(model, logits["val"], splits["val"].labels)
    scores = {name: scorer.fuse(parts) for name, parts in logits.items()}
    return Trained(
        model=model,
        history=history,
        baseline=baseline,
        metrics={
            name: Metrics.of(rows.labels, scores[name], categories)
            for name, rows in measured.items()
        },
        scores=scores,
        embedded=EmbeddedRows(shown, vectors["val"]) if embed else None,
    )


def weigh_branches(model: ProductModel, logits: list[np.ndarray], labels: np.ndarray) -> None:
    """Sets how much each branch has to say, from validation rows."""
    weights = fit_weights(logits, labels)
    model.deep_weight = float(weights[0])
    model.wide_weight = float(weights[1]) if model.wide is not None else 0.0
    _logger.info("branch weights: deep %.3f, wide %.3f", model.deep_weight, model.wide_weight)


def _prepare(
    branch: DeepBranch,
    settings: Settings,
    categories: Sequence[str],
    splits: Mapping[str, EncodedExamples],
) -> tuple[dict[str, Metrics], dict[str, Optional[tf.RaggedTensor]]]:
    """Passes all rows through the untouched encoder once: baseline, head start, frozen states."""
    former = None
    if settings.training.warm_start:
        former = FormerModel.read(Path(settings.training.warm_start))
        former.start_encoder(branch)
    part = FrozenPart(branch, settings.training.cache_mb << 20)
    keep = part.fits(splits["train"], splits["val"])
    vectors: dict[str, np.ndarray] = {}
    states: dict[str, Optional[tf.RaggedTensor]] = {}
    for name, rows in splits.items():
        states[name], vectors[name] = part.run(
            rows, f"encoding {name}", keep_states=keep and name in ("train", "val")
        )
    if former is not None:
        former.start_head(branch, categories, vectors["train"], splits["train"].labels)
    elif settings.head.probe:
        start_head(branch, vectors["train"], splits["train"].labels, settings.training.seed)
    baseline = {}
    for name, rows in splits.items():
        chosen = _measured_rows(name, rows)
        scores = branch.score(vectors[name][chosen]).numpy()
        baseline[name] = Metrics.of(rows.labels[chosen], scores, categories)
    return baseline, states


def _measured_rows(name: str, rows: EncodedExamples) -> np.ndarray:
    """Indices of the rows that figures are made of: the same before and after training."""
    if name != "train" or len(rows) <= _TRAIN_SAMPLE:
        return np.arange(len(rows))
    return np.sort(np.random.default_rng(0).choice(len(rows), _TRAIN_SAMPLE, replace=False))


def _all_gpus() -> tf.distribute.Strategy:
    gpus = tf.config.list_physical_devices("GPU")
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()
