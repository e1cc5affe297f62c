"""What the Trainer step does: hands TFX's arguments to the library's ProductClassifier."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import yaml
from keras_tuner import HyperParameters
from tfx.components.trainer.fn_args_utils import FnArgs

from pipeline.arguments import SEARCH_LOGS
from pipeline.canaries import Canaries
from pipeline.transformed import read_categories
from prodcls_tf.classifier import ProductClassifier
from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.model.encoder import encoder_folder
from prodcls_tf.model.storage import build_text_to_ids
from prodcls_tf.settings import Settings
from prodcls_tf.training.wandb_run import WANDB_FOLDER
from prodcls_tf.tuning.dimensions import setting_values

# What lies in the folder of logs beside the curves of the last training.
_OTHERS = {SEARCH_LOGS, WANDB_FOLDER}


def run_fn(fn_args: FnArgs) -> None:
    """Trains, measures and exports a model.

    Args:
      fn_args: TFX's arguments. Its `custom_config` holds `settings` (YAML), `logs` and
        `checkpoints` (folders). Its `hyperparameters`, from a search, go over the settings.

    Raises:
      ProdclsError: the training cannot go on, or a split has no row.
    """
    config = fn_args.custom_config
    given = Settings.parse(yaml.safe_load(config["settings"]))
    best = best_values(fn_args.hyperparameters)
    settings = given.with_values(best)
    logs, checkpoints = Path(config["logs"]), Path(config["checkpoints"], _digest(best))
    if not any(path.is_file() for path in checkpoints.rglob("*")):
        # A training from the start draws its curves afresh; one that resumes goes on with them.
        clear_curves(logs)

    val_files, test_files = fn_args.eval_files
    splits = {"train": fn_args.train_files, "val": [val_files], "test": [test_files]}
    examples = {
        split: EncodedExamples.from_tfrecords(files, settings.data.fields)
        for split, files in splits.items()
    }
    if settings.encoder.max_length != given.encoder.max_length:
        # Transform knew nothing of what the search would find.
        text_to_ids = build_text_to_ids(encoder_folder(settings.encoder.name), settings)
        examples = {split: rows.encoded_by(text_to_ids) for split, rows in examples.items()}
    classifier = ProductClassifier(settings)
    trained = classifier.fit_examples(
        examples["train"],
        examples["val"],
        read_categories(fn_args.transform_graph_path),
        held_out={"test": examples["test"]},
        log_dir=logs,
        checkpoint_dir=checkpoints,
    )
    figures = {
        split: {**metrics.headline(), "baseline": trained.baseline[split].headline()}
        for split, metrics in trained.metrics.items()
    }
    exported = Path(fn_args.serving_model_dir)
    classifier.export(exported, metrics=figures)
    Canaries.record(
        classifier.model, classifier.categories, examples["test"], settings.push.top_k
    ).write(exported.parent)
    # The curves of this very model stay with it when the next training draws its own.
    others = shutil.ignore_patterns(*_OTHERS)
    shutil.copytree(logs, fn_args.model_run_dir, ignore=others, dirs_exist_ok=True)


def best_values(hyperparameters: dict[str, Any] | None) -> dict[str, Any]:
    """Returns the settings that a search found, by name.

    Args:
      hyperparameters: as KerasTuner writes them; None for none.

    Example:
      >>> found = HyperParameters()
      >>> _ = found.Fixed("training.epochs", 6)
      >>> best_values(found.get_config())
      {'training.epochs': 6}
    """
    if hyperparameters is None:
        return {}
    return setting_values(HyperParameters.from_config(hyperparameters).values)


def clear_curves(logs: Path) -> None:
    """Removes the curves of a former training; those of searches stay, and unsent runs.

    Args:
      logs: TensorBoard's folder; may be missing.
    """
    for entry in logs.iterdir() if logs.is_dir() else []:
        if entry.is_dir() and entry.name not in _OTHERS:
            shutil.rmtree(entry)
        elif not entry.is_dir():
            entry.unlink()


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
