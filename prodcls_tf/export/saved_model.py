"""Writes the SavedModel."""

from __future__ import annotations

import logging
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from prodcls_tf.errors import OutputError
from prodcls_tf.export.signatures import CLASSIFY, ServingModel
from prodcls_tf.settings import Settings

SETTINGS_FILE = "settings.yaml"

# TF Serving answers Classify calls only from a signature with this method.
_CLASSIFY_METHOD = "tensorflow/serving/classify"


def export_saved_model(serving: ServingModel, settings: Settings, folder: Path) -> None:
    """Writes a SavedModel with all signatures, and the settings beside it.

    Args:
      serving: the model with its categories.
      settings: stored in `assets.extra/settings.yaml`.
      folder: of the model; made if missing.

    Raises:
      OutputError: the folder cannot be written.
    """
    # Keras warns about layers that can be called in ways which the signatures do not use.
    level = logging.getLogger("tensorflow").level
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        tf.saved_model.save(serving, str(folder), signatures=serving.signatures())
        _set_classify_method(folder / "saved_model.pb")
        extra = folder / "assets.extra"
        extra.mkdir(exist_ok=True)
        (extra / SETTINGS_FILE).write_text(settings.to_yaml(), encoding="utf-8")
    except (OSError, tf.errors.OpError) as error:
        raise OutputError(
            f"A model needs a folder that can be written, with room. Received {folder}: {error}. "
            "Check permissions and free space, or name another folder."
        ) from error
    finally:
        logging.getLogger("tensorflow").setLevel(level)


def _set_classify_method(path: Path) -> None:
    """`tf.saved_model.save` marks every signature as Predict; this marks the one for Classify."""
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        graph.signature_def[CLASSIFY].method_name = _CLASSIFY_METHOD
    path.write_bytes(saved.SerializeToString(deterministic=True))
