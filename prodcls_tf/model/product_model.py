"""The whole classifier as one graph: raw text fields to logits over the categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import tensorflow as tf

from prodcls_tf import features
from prodcls_tf.model.deep_branch import DeepBranch, pad
from prodcls_tf.model.wide_branch import WideBranch
from prodcls_tf.text.tokenizer import TextToIds


class ProductModel(tf.Module):
    """Text fields to logits: the weighted sum of a deep and, where there is one, a wide branch.

    Args:
      text_to_ids: the graph that makes token ids.
      deep: the BERT branch.
      wide: the n-gram branch, or None.
      deep_weight: what the deep branch's logits are multiplied with.
      wide_weight: the same of the wide branch's.

    Example:
      >>> model([tf.constant(["usb cable"])]).shape  # doctest: +SKIP
      TensorShape([1, 89])
    """

    def __init__(
        self,
        text_to_ids: TextToIds,
        deep: DeepBranch,
        wide: Optional[WideBranch] = None,
        deep_weight: float = 1.0,
        wide_weight: float = 0.0,
    ) -> None:
        super().__init__(name="product_model")
        self.text_to_ids = text_to_ids
        self.deep = deep
        self.wide = wide
        self.deep_weight = deep_weight
        self.wide_weight = wide_weight

    @property
    def named_variables(self) -> dict[str, tf.Variable]:
        """The weights of both branches; those of the deep one begin with `deep-`."""
        deep = {f"deep-{name}": weight for name, weight in self.deep.named_variables.items()}
        wide = () if self.wide is None else self.wide.variables
        return {**deep, **{f"wide-{number}": weight for number, weight in enumerate(wide)}}

    def __call__(self, fields: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns float32 logits [batch, categories] of string tensors [batch]."""
        rows = tf.shape(fields[0])[0]
        # BERT cannot reshape a batch without rows: on some processors it fails.
        blank = tf.fill([tf.maximum(1 - rows, 0)], "")
        fields = [tf.concat([field, blank], axis=0) for field in fields]
        encoded = self.text_to_ids(fields)
        logits = self.logits(encoded[features.INPUT_IDS], encoded[features.TOKEN_TYPE_IDS], fields)
        return logits[:rows]

    def logits(
        self, ids: tf.RaggedTensor, types: tf.RaggedTensor, fields: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """Returns the logits of rows that are tokenized already, together with their texts."""
        logits = self.deep_weight * self.deep(pad(ids, types), training=False)
        if self.wide is not None:
            logits += self.wide_weight * self.wide(fields)
        return logits
