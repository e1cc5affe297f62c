"""What the Transform step computes: fields to ids, category paths to numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from prodcls_tf import features
from prodcls_tf.text.tokenizer import TextToIds, TokenizerOptions, read_vocabulary


def preprocessing_fn(
    inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]
) -> dict[str, tf.Tensor | tf.SparseTensor]:
    """Turns raw examples into what training reads.

    Args:
      inputs: the text fields and the category, each a string tensor [batch, 1].
      custom_config: `fields` (names in order), `encoder_folder` and `max_length`.

    Returns:
      Ids and segment ids as sparse int64 [batch, (tokens)], the text fields as they were,
      [batch, 1], and the category's number, int64 [batch, 1]: its place in the categories asset,
      or -1 where no training row has it.
    """
    fields = custom_config["fields"]
    folder = Path(custom_config["encoder_folder"])
    # Built here and not at import: Beam may call this in another process, on another machine.
    text_to_ids = TextToIds(
        read_vocabulary(folder), TokenizerOptions.from_folder(folder), custom_config["max_length"]
    )
    ids = text_to_ids([inputs[name][:, 0] for name in fields])
    label = tft.compute_and_apply_vocabulary(
        inputs[features.CATEGORY],
        default_value=-1,
        vocab_filename=features.CATEGORIES_ASSET,
        name=features.CATEGORIES_ASSET,
    )
    return {
        # Sparse, because TFT would store ragged ones as `input_ids$ragged_values`.
        **{name: tf.cast(values, tf.int64).to_sparse() for name, values in ids.items()},
        **{name: inputs[name] for name in fields},
        features.LABEL: label,
    }
