"""The SavedModel's signatures: what a caller may ask of a pushed model.

`docs/model-contract.md` describes them for users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from prodcls_tf import features
from prodcls_tf.model.product_model import ProductModel

SERVING = "serving_default"
CLASSIFY = "classify"
EVALUATE = "evaluate"
TRANSFORM = "transform_features"


class ServingModel(tf.Module):
    """A classifier with its categories, ready to be saved.

    Args:
      model: raw text fields to logits.
      categories: the paths by number.
      fields: names of the text fields, in the model's order.
      top_k: categories that an answer holds, at most.
    """

    def __init__(
        self,
        model: ProductModel,
        categories: Sequence[str],
        fields: Sequence[str],
        top_k: int,
    ) -> None:
        super().__init__(name="prodcls")
        # The weights alone are part of this object, not the layers: Keras would trace every layer
        # by itself, which takes a minute and which no signature uses. Their names are what a
        # later training finds them by.
        self.weights = model.named_variables
        self.categories = tf.Variable(list(categories), trainable=False, name="categories")
        self._fields = list(fields)
        # All signatures call this one function, so that the graph holds the model once.
        self._logits = tf.function(
            lambda *columns: model(columns),
            input_signature=[tf.TensorSpec([None], tf.string)] * len(self._fields),
            autograph=False,
        )
        self._top_k = min(top_k, len(categories))
        self._labels = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(list(categories)),
                tf.range(len(categories), dtype=tf.int64),
            ),
            default_value=-1,
        )

    def signatures(self) -> dict[str, Callable]:
        """Returns the concrete functions by signature name."""
        text = {name: tf.TensorSpec([None], tf.string, name=name) for name in self._fields}
        examples = tf.TensorSpec([None], tf.string, name="examples")
        inputs = tf.TensorSpec([None], tf.string, name="inputs")
        return {
            SERVING: _graph(self._answer).get_concrete_function(**text),
            CLASSIFY: _graph(self._classify).get_concrete_function(inputs=inputs),
            EVALUATE: _graph(self._evaluate).get_concrete_function(examples=examples),
            TRANSFORM: _graph(self._transform).get_concrete_function(examples=examples),
        }

    def _answer(self, **fields: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._best([fields[name] for name in self._fields])

    def _classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        best = self._best(self._parse(inputs))
        return {"classes": best["categories"], "scores": best["scores"]}

    def _evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = self._logits(*self._parse(examples))
        return {
            "logits": logits,
            "scores": tf.nn.softmax(logits),
            **self._transform(examples),
        }

    def _transform(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {features.CATEGORY: tf.io.FixedLenFeature([], tf.string, default_value="")}
        category = tf.io.parse_example(examples, spec)[features.CATEGORY]
        return {features.LABEL: self._labels.lookup(category)}

    def _parse(self, examples: tf.Tensor) -> list[tf.Tensor]:
        spec = {
            name: tf.io.FixedLenFeature([], tf.string, default_value="") for name in self._fields
        }
        parsed = tf.io.parse_example(examples, spec)
        return [parsed[name] for name in self._fields]

    def _best(self, fields: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
        scores, numbers = tf.math.top_k(tf.nn.softmax(self._logits(*fields)), self._top_k)
        return {"categories": tf.gather(self.categories, numbers), "scores": scores}


def _graph(function: Callable) -> tf.types.experimental.PolymorphicFunction:
    return tf.function(function, autograph=False)
