"""A classifier's weights on disk: a Hugging Face checkpoint, and what stands beside it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Optional

import numpy as np
import tensorflow as tf

from prodcls_tf.model.deep_branch import DeepBranch, pad
from prodcls_tf.model.encoder import check_fit, load_encoder
from prodcls_tf.model.product_model import ProductModel
from prodcls_tf.model.wide_branch import NGramWeights, WideBranch
from prodcls_tf.settings import Settings
from prodcls_tf.text.ngrams import HashedNGrams
from prodcls_tf.text.tokenizer import TextToIds, TokenizerOptions, read_vocabulary

ENCODER = "encoder"
_BRANCHES = "branches.npz"
_TOKENIZER_FILES = ("vocab.txt", "tokenizer_config.json", "tokenizer.json")


def build_text_to_ids(folder: Path, settings: Settings) -> TextToIds:
    """Builds the graph that makes ids as the checkpoint in this folder expects them."""
    vocabulary = read_vocabulary(folder)
    check_fit(folder, len(vocabulary), settings.encoder.max_length)
    return TextToIds(vocabulary, TokenizerOptions.from_folder(folder), settings.encoder.max_length)


def build_deep_branch(folder: Path, settings: Settings, categories: int) -> DeepBranch:
    """Builds a deep branch with the weights in a checkpoint's folder."""
    bert = load_encoder(
        folder,
        num_labels=categories,
        dropout=settings.encoder.dropout,
        head_dropout=settings.head.dropout,
    )
    branch = DeepBranch(
        bert,
        settings.encoder.pooling,
        settings.encoder.freeze,
        settings.encoder.token_dropout,
        settings.head.hidden,
    )
    # One tiny batch builds every layer, so that weights can be set and restored.
    branch(pad(tf.ragged.constant([[0]]), tf.ragged.constant([[0]])))
    return branch


def save_model(model: ProductModel, encoder_folder: Path, folder: Path) -> None:
    """Writes a model's weights.

    Args:
      model: the model.
      encoder_folder: the checkpoint it came from, whose tokenizer files are copied.
      folder: must exist.
    """
    encoder = folder / ENCODER
    model.deep.bert.save_pretrained(encoder, safe_serialization=True)
    for name in _TOKENIZER_FILES:
        if (encoder_folder / name).is_file() and encoder_folder.resolve() != encoder.resolve():
            shutil.copyfile(encoder_folder / name, encoder / name)
    arrays = {
        "deep_weight": np.float32(model.deep_weight),
        "wide_weight": np.float32(model.wide_weight),
    }
    if model.deep.mlp is not None:
        arrays |= {f"mlp_{i}": weight for i, weight in enumerate(model.deep.mlp.get_weights())}
    if model.wide is not None:
        arrays |= {
            "column": model.wide.weights.column.numpy(),
            "idf": model.wide.weights.idf.numpy(),
            "table": model.wide.table.numpy(),
            "bias": model.wide.bias.numpy(),
        }
        if model.wide.mix is not None:
            arrays["mix"] = model.wide.mix.numpy()
    np.savez(folder / _BRANCHES, **arrays)


def load_model(folder: Path, settings: Settings, categories: int) -> ProductModel:
    """Reads what `save_model` wrote.

    Args:
      folder: of the model.
      settings: as they were when it was trained.
      categories: number of categories.

    Returns:
      The model.
    """
    deep = build_deep_branch(folder / ENCODER, settings, categories)
    wide: Optional[WideBranch] = None
    with np.load(folder / _BRANCHES) as arrays:
        if deep.mlp is not None:
            weights = [arrays[f"mlp_{i}"] for i in range(len(deep.mlp.get_weights()))]
            deep.mlp.set_weights(weights)
        if "table" in arrays:
            ngrams = HashedNGrams(
                settings.wide.buckets, settings.wide.word_ngrams, settings.wide.char_ngrams
            )
            rows = NGramWeights(ngrams, arrays["column"], arrays["idf"])
            mix = arrays.get("mix")
            wide = WideBranch(rows, arrays["table"], arrays["bias"], mix)
        return ProductModel(
            build_text_to_ids(folder / ENCODER, settings),
            deep,
            wide,
            float(arrays["deep_weight"]),
            float(arrays["wide_weight"]),
        )
