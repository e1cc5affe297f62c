"""What Transform wrote, as the library takes it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import tensorflow_transform as tft

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.features import CATEGORIES_ASSET
from prodcls_tf.settings import DataSettings


def read_categories(transform_graph: str) -> list[str]:
    """Returns the category paths by number, as Transform numbered them."""
    output = tft.TFTransformOutput(transform_graph)
    return [path.decode() for path in output.vocabulary_by_name(CATEGORIES_ASSET)]


def read_rows(files: Sequence[str], data: DataSettings, categories: Sequence[str]) -> pd.DataFrame:
    """Returns the raw texts and categories of transformed examples.

    Args:
      files: patterns of a split's files.
      data: columns.
      categories: the paths by number.

    Returns:
      The rows, with the columns that the user's file had.
    """
    examples = EncodedExamples.from_tfrecords(list(files), data.fields)
    columns = zip(data.text, examples.texts.values(), strict=True)
    texts = {column: [text.decode() for text in texts.numpy()] for column, texts in columns}
    return pd.DataFrame({**texts, data.label: [categories[label] for label in examples.labels]})
