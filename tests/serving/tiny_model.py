"""A SavedModel of the project's contract that needs no training: it looks for words."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
import tensorflow_text as tf_text

from prodcls_tf import features

CATEGORIES = ["Audio > Headphones", "Home > Cookware", "Pets > Cats > 猫粮"]
WORDS = ["headphones", "pan", "猫"]


class WordModel(tf.Module):
    """Scores a category by how often its word stands in the text fields.

    Args:
      fields: names of the text fields.
      top_k: categories in an answer.
    """

    def __init__(self, fields: list[str], top_k: int) -> None:
        super().__init__()
        self._fields, self._top_k = fields, top_k
        self.categories = tf.Variable(CATEGORIES, trainable=False)
        self.weight = tf.Variable(2.0)

    def logits(self, fields: list[tf.Tensor]) -> tf.Tensor:
        # An op of tensorflow-text, as the real model has them.
        text = tf_text.case_fold_utf8(tf.strings.join(fields, " "))
        found = [tf.strings.regex_full_match(text, f".*{word}.*") for word in WORDS]
        return self.weight * tf.cast(tf.stack(found, axis=1), tf.float32)

    def answer(self, **fields: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = tf.nn.softmax(self.logits([fields[name] for name in self._fields]))
        best, numbers = tf.math.top_k(scores, self._top_k)
        return {"categories": tf.gather(self.categories, numbers), "scores": best}

    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {name: tf.io.FixedLenFeature([], tf.string, "") for name in self._fields}
        parsed = tf.io.parse_example(examples, spec)
        logits = self.logits([parsed[name] for name in self._fields])
        return {"logits": logits, "scores": tf.nn.softmax(logits)}


def save_tiny_model(
    folder: Path, columns: tuple[str, ...] = ("title", "description"), top_k: int = 3
) -> Path:
    """Saves a WordModel that was trained, so to say, on the given columns."""
    fields = features.field_names(columns)
    model = WordModel(fields, top_k)
    text = {name: tf.TensorSpec([None], tf.string, name=name) for name in fields}
    examples = tf.TensorSpec([None], tf.string, name="examples")
    signatures = {
        "serving_default": tf.function(model.answer).get_concrete_function(**text),
        "evaluate": tf.function(model.evaluate).get_concrete_function(examples=examples),
    }
    tf.saved_model.save(model, str(folder), signatures=signatures)
    extra = folder / "assets.extra"
    extra.mkdir()
    listed = "".join(f"  - {column}\n" for column in columns)
    (extra / "settings.yaml").write_text(f"data:\n  text:\n{listed}", encoding="utf-8")
    return folder
