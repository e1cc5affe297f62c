"""Rows of raw examples, and what a SavedModel makes of them in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

# Registers the ops of the tokenizer that is part of a model's graph.
import tensorflow_text  # noqa: F401

_BATCH = 64


class Answers(NamedTuple):
    """What a model makes of some rows.

    Attributes:
      best: the best category of each row.
      known: all categories that the model knows.
    """

    best: list[str]
    known: frozenset[str]


def read_records(split: str) -> list[bytes]:
    """Reads the serialized tf.Examples of a split, in the order of its files.

    Args:
      split: the folder of its GZIP TFRecords.
    """
    files = sorted(tf.io.gfile.glob(f"{split}/*"))
    return [bytes(r) for r in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()]


def read_texts(records: Sequence[bytes], name: str) -> list[str]:
    """Returns one feature of serialized tf.Examples, '' where a row lacks it."""
    features = {name: tf.io.FixedLenFeature([], tf.string, default_value="")}
    return [value.decode("utf-8") for value in tf.io.parse_example(records, features)[name].numpy()]


def best_categories(
    model: Path, records: Sequence[bytes], progress: Callable[[int], None]
) -> Answers:
    """Asks a SavedModel for the best category of each row.

    It is asked by its `classify` signature: with the same bytes, two models that number their
    categories differently, or read other fields, answer in paths.

    Args:
      model: its folder.
      records: serialized tf.Examples.
      progress: is told after each batch how many rows are done.

    Returns:
      The paths, in order, and those that it might have said.

    Raises:
      Exception: of many kinds, where the model cannot be loaded or fails.
    """
    # A function of a SavedModel lives only as long as the object that was loaded.
    loaded = tf.saved_model.load(str(model))
    classify = loaded.signatures["classify"]
    # A batch costs what its longest row costs, so rows of like length go together.
    order = sorted(range(len(records)), key=lambda row: len(records[row]))
    answers = [""] * len(records)
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        classes = classify(inputs=tf.constant([records[row] for row in rows]))["classes"]
        for row, path in zip(rows, classes.numpy()[:, 0], strict=True):
            answers[row] = path.decode("utf-8")
        progress(start + len(rows))
    return Answers(answers, frozenset(path.decode("utf-8") for path in loaded.categories.numpy()))
