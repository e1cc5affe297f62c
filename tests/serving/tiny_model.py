"""A SavedModel of the project's contract that needs no training: it looks for words."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow.core.protobuf import saved_model_pb2

from prodcls_tf import features

CATEGORIES = ["Audio > Headphones", "Home > Cookware", "Pets > Cats > 猫粮"]
WORDS = ["headphones", "pan", "猫"]

# Width of the matrices that the slow signature multiplies: one product takes about a millisecond.
_WIDTH = 384


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
        return self._best([fields[name] for name in self._fields])

    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        best = self._best(self._parse(inputs))
        return {"classes": best["categories"], "scores": best["scores"]}

    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """How many of the words are there; the real model has no such signature."""
        return {"outputs": tf.reduce_sum(self.logits(self._parse(inputs)), axis=1) / self.weight}

    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = self.logits(self._parse(examples))
        return {"logits": logits, "scores": tf.nn.softmax(logits)}

    def numbers(self, x: tf.Tensor, n: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"total": tf.reduce_sum(x, axis=1), "next": n + 1, "even": n % 2 == 0}

    def slow(self, rounds: tf.Tensor) -> dict[str, tf.Tensor]:
        """Multiplies matrices as often as the largest of `rounds` says."""
        product = tf.while_loop(
            lambda i, _: i < tf.reduce_max(rounds),
            lambda i, matrix: (i + 1, tf.linalg.matmul(matrix, matrix) / float(_WIDTH)),
            (0, tf.ones([_WIDTH, _WIDTH]) * self.weight / 2.0),
            parallel_iterations=1,
        )[1]
        return {"done": tf.cast(rounds, tf.float32) * product[0, 0]}

    def _best(self, fields: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        best, numbers = tf.math.top_k(tf.nn.softmax(self.logits(fields)), self._top_k)
        return {"categories": tf.gather(self.categories, numbers), "scores": best}

    def _parse(self, examples: tf.Tensor) -> list[tf.Tensor]:
        spec = {name: tf.io.FixedLenFeature([], tf.string, "") for name in self._fields}
        parsed = tf.io.parse_example(examples, spec)
        return [parsed[name] for name in self._fields]


def save_tiny_model(
    folder: Path, columns: tuple[str, ...] = ("title", "description"), top_k: int = 3
) -> Path:
    """Saves a WordModel that was trained, so to say, on the given columns.

    Beside the signatures of docs/model-contract.md it has `regress`, `numbers` (numeric inputs and
    outputs) and `slow` (`rounds` int32 [batch]: about so many milliseconds).
    """
    fields = features.field_names(columns)
    model = WordModel(fields, top_k)
    text = {name: tf.TensorSpec([None], tf.string, name=name) for name in fields}
    examples = tf.TensorSpec([None], tf.string, name="examples")
    inputs = tf.TensorSpec([None], tf.string, name="inputs")
    x = tf.TensorSpec([None, None], tf.float32, name="x")
    n = tf.TensorSpec([None], tf.int64, name="n")
    rounds = tf.TensorSpec([None], tf.int32, name="rounds")
    signatures = {
        "serving_default": tf.function(model.answer).get_concrete_function(**text),
        "classify": tf.function(model.classify).get_concrete_function(inputs=inputs),
        "regress": tf.function(model.regress).get_concrete_function(inputs=inputs),
        "evaluate": tf.function(model.evaluate).get_concrete_function(examples=examples),
        "numbers": tf.function(model.numbers).get_concrete_function(x=x, n=n),
        "slow": tf.function(model.slow).get_concrete_function(rounds=rounds),
    }
    tf.saved_model.save(model, str(folder), signatures=signatures)
    _name_methods(folder / "saved_model.pb")
    extra = folder / "assets.extra"
    extra.mkdir()
    listed = "".join(f"  - {column}\n" for column in columns)
    (extra / "settings.yaml").write_text(f"data:\n  text:\n{listed}", encoding="utf-8")
    return folder


def _name_methods(path: Path) -> None:
    """Marks the signatures for Classify and Regress, as the export of the real model does."""
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    for name in ("classify", "regress"):
        signatures[name].method_name = f"tensorflow/serving/{name}"
    path.write_bytes(saved.SerializeToString())
