"""What the Trainer step does: hands TFX's arguments to the library's ProductClassifier."""

from __future__ import annotations

import shutil
from pathlib import Path

import tensorflow_transform as tft
import yaml
from tfx.components.trainer.fn_args_utils import FnArgs

from prodcls_tf.classifier import ProductClassifier
from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.features import CATEGORIES_ASSET
from prodcls_tf.settings import Settings


def run_fn(fn_args: FnArgs) -> None:
    """Trains, measures and exports a model.

    Args:
      fn_args: TFX's arguments. Its `custom_config` holds `settings` (YAML), `logs` and
        `checkpoints` (folders).

    Raises:
      ProdclsError: the training cannot go on, or a split has no row.
    """
    config = fn_args.custom_config
    settings = Settings.parse(yaml.safe_load(config["settings"]))
    logs, checkpoints = Path(config["logs"]), Path(config["checkpoints"])
    if not any(path.is_file() for path in checkpoints.rglob("*")):
        # A training from the start draws its curves afresh; one that resumes goes on with them.
        shutil.rmtree(logs, ignore_errors=True)

    fields = settings.data.fields
    val_files, test_files = fn_args.eval_files
    classifier = ProductClassifier(settings)
    trained = classifier.fit_examples(
        EncodedExamples.from_tfrecords(fn_args.train_files, fields),
        EncodedExamples.from_tfrecords([val_files], fields),
        _categories(fn_args.transform_graph_path),
        held_out={"test": EncodedExamples.from_tfrecords([test_files], fields)},
        log_dir=logs,
        checkpoint_dir=checkpoints,
    )
    figures = {
        split: {**metrics.headline(), "baseline": trained.baseline[split].headline()}
        for split, metrics in trained.metrics.items()
    }
    classifier.export(Path(fn_args.serving_model_dir), metrics=figures)
    # The curves of this very model stay with it when the next training draws its own.
    shutil.copytree(logs, fn_args.model_run_dir, dirs_exist_ok=True)


def _categories(transform_graph: str) -> list[str]:
    """The category paths by number, as Transform numbered them."""
    output = tft.TFTransformOutput(transform_graph)
    return [path.decode() for path in output.vocabulary_by_name(CATEGORIES_ASSET)]
