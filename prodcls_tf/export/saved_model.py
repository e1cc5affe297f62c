"""Writes the SavedModel."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from prodcls_tf.errors import OutputError
from prodcls_tf.export.signatures import CLASSIFY, ServingModel
from prodcls_tf.export.warmup import WARMUP_FILE, write_warmup_requests
from prodcls_tf.manifest import write_manifest
from prodcls_tf.settings import Settings

# Of the files that go with a model; servers leave others in it alone.
EXTRA_FOLDER = "assets.extra"
SETTINGS_FILE = "settings.yaml"
METRICS_FILE = "metrics.json"

# TF Serving answers Classify calls only from a signature with this method.
_CLASSIFY_METHOD = "tensorflow/serving/classify"


def export_saved_model(
    serving: ServingModel,
    settings: Settings,
    folder: Path,
    metrics: Optional[Mapping[str, Any]] = None,
) -> None:
    """Writes a SavedModel with all signatures, and what goes with it, in one stroke.

    It is written beside the folder, under a name that is no version's, and then renamed: whoever
    looks at the folder finds the whole model or none.

    Args:
      serving: the model with its categories.
      settings: stored in `assets.extra/settings.yaml`.
      folder: of the model; made if missing. A SavedModel that is there already is replaced.
      metrics: stored in `assets.extra/metrics.json`; None for no such file.

    Raises:
      OutputError: the folder cannot be written, or holds something else.
    """
    folder = folder.absolute()
    _check_replaceable(folder)
    # Keras warns about layers that can be called in ways which the signatures do not use.
    level = logging.getLogger("tensorflow").level
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    staging = folder.with_name(f".tmp-{folder.name}")
    try:
        shutil.rmtree(staging, ignore_errors=True)
        _write(serving, settings, staging, metrics)
        _put_in_place(staging, folder)
    except (OSError, tf.errors.OpError) as error:
        raise OutputError(
            f"A model needs a folder that can be written, with room. Received {folder}: {error}. "
            "Check permissions and free space, or name another folder."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        logging.getLogger("tensorflow").setLevel(level)


def _write(
    serving: ServingModel,
    settings: Settings,
    folder: Path,
    metrics: Optional[Mapping[str, Any]],
) -> None:
    tf.saved_model.save(serving, str(folder), signatures=serving.signatures())
    _set_classify_method(folder / "saved_model.pb")
    extra = folder / EXTRA_FOLDER
    extra.mkdir(exist_ok=True)
    (extra / SETTINGS_FILE).write_text(settings.to_yaml(), encoding="utf-8")
    if metrics is not None:
        (extra / METRICS_FILE).write_text(json.dumps(metrics, indent=2), encoding="utf-8")
    write_warmup_requests(
        extra / WARMUP_FILE,
        settings.push.model_name,
        settings.data.fields,
        settings.encoder.max_length,
    )
    # Last of all: it has the digests of everything else.
    write_manifest(folder)


def _check_replaceable(folder: Path) -> None:
    """Refuses a folder with anything but a SavedModel in it: it would be deleted."""
    if folder.is_dir() and not (folder / "saved_model.pb").exists() and any(folder.iterdir()):
        raise OutputError(
            "A model needs a folder of its own: a new one, an empty one, or one with an older "
            f"SavedModel. Received {folder}, which holds other files. Name another folder."
        )


def _put_in_place(staging: Path, folder: Path) -> None:
    old = folder.with_name(f".old-{folder.name}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.is_dir():
        folder.rename(old)
    staging.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _set_classify_method(path: Path) -> None:
    """`tf.saved_model.save` marks every signature as Predict; this marks the one for Classify."""
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        graph.signature_def[CLASSIFY].method_name = _CLASSIFY_METHOD
    path.write_bytes(saved.SerializeToString(deterministic=True))
