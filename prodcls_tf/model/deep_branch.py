"""The deep branch: BERT, pooled to one vector a row, and a head that scores the categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Optional, Union

import tensorflow as tf
from transformers import TFBertForSequenceClassification

from prodcls_tf import features

# Key of states that a frozen part of the encoder has computed already, beside ATTENTION_MASK.
FROZEN_STATES = "frozen_states"

Pooling = Literal["mean", "first", "pooler"]
Freeze = Union[Literal["none", "embeddings", "half", "all"], int]


def pad(ragged_ids: tf.RaggedTensor, ragged_types: tf.RaggedTensor, multiple: int = 8) -> dict:
    """Pads token ids to the longest row, rounded up to a multiple.

    Args:
      ragged_ids: int32 ragged [batch, (tokens)].
      ragged_types: int32 ragged of the same shape.
      multiple: the padded length is a multiple of this, which keeps the number of different
        shapes small (XLA compiles each) and suits tensor cores.

    Returns:
      `input_ids`, `token_type_ids` and `attention_mask`, each int32 [batch, length].
    """
    ids = ragged_ids.to_tensor()
    length = tf.shape(ids)[1]
    gap = [[0, 0], [0, -length % multiple]]
    mask = tf.sequence_mask(ragged_ids.row_lengths(), length, tf.int32)
    return {
        features.INPUT_IDS: tf.pad(ids, gap),
        features.TOKEN_TYPE_IDS: tf.pad(ragged_types.to_tensor(), gap),
        features.ATTENTION_MASK: tf.pad(mask, gap),
    }


class DeepBranch(tf.keras.Model):
    """Scores categories with a BERT.

    The weights are those of `TFBertForSequenceClassification`; what this class adds is the choice
    of pooling, of the head's width, and of a frozen lower part whose outputs can be computed once.

    Args:
      bert: the pretrained model; its classifier is the last layer of the head.
      pooling: `mean` of the token states, the `first` token's state (both scaled to length
        sqrt(width), so that a head sees vectors of one size from any encoder), or BERT's own
        `pooler`.
      freeze: `none`, `embeddings`, a number of lowest layers (embeddings with them), the lower
        `half` of the layers, or `all`.
      token_dropout: share of the tokens that neither attention nor pooling sees in a step of
        training, so that no single word decides; the first token is always seen.
      hidden: width of an MLP between pooling and classifier, 0 for none. It adds to the pooled
        vector and begins by adding nothing, so a head that fits the vectors fits from the start.

    Example:
      >>> branch = DeepBranch(bert, pooling="mean", freeze=3)  # doctest: +SKIP
      >>> branch(pad(ids, types)).shape  # doctest: +SKIP
      TensorShape([32, 89])
    """

    def __init__(
        self,
        bert: TFBertForSequenceClassification,
        pooling: Pooling = "mean",
        freeze: Freeze = "none",
        token_dropout: float = 0.0,
        hidden: int = 0,
    ) -> None:
        super().__init__(name="deep_branch")
        self.bert = bert
        self.pooling = pooling
        self.token_dropout = token_dropout
        self.frozen_depth = _frozen_depth(freeze, len(self.layers_of_encoder))
        self.mlp = _mlp(hidden, self.width) if hidden else None
        main = bert.bert
        main.embeddings.trainable = self.frozen_depth is None
        for depth, layer in enumerate(self.layers_of_encoder):
            layer.trainable = depth >= (self.frozen_depth or 0)
        main.pooler.trainable = pooling == "pooler"

    def get_config(self) -> dict[str, object]:
        """Returns what Keras notes of a model; the weights' folder holds the rest."""
        return {"pooling": self.pooling, "frozen_depth": self.frozen_depth}

    @property
    def layers_of_encoder(self) -> list[tf.keras.layers.Layer]:
        """The transformer layers, lowest first."""
        return self.bert.bert.encoder.layer

    @property
    def width(self) -> int:
        """Number of values in a pooled vector."""
        return self.bert.config.hidden_size

    @property
    def named_variables(self) -> dict[str, tf.Variable]:
        """All weights by names that stay the same from model to model, as Keras's do not."""
        bert = {_name(variable): variable for variable in self.bert.variables}
        mlp = self.mlp.variables if self.mlp is not None else []
        return {**bert, **{f"mlp-{number}": variable for number, variable in enumerate(mlp)}}

    # No control flow depends on a tensor, neither here nor in Keras's steps; without a conversion
    # of all that Python, tracing takes a third of the time.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Does one step of training, as Keras does."""
        return super().train_step(data)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Measures one batch, as Keras does."""
        return super().test_step(data)

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: Mapping[str, tf.Tensor], training: Optional[bool] = None) -> tf.Tensor:
        """Returns float32 logits [batch, categories] of padded ids or of frozen states."""
        return self.score(self.pooled(inputs, training), training)

    def frozen_states(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the frozen part's output, [batch, length, width]: the same in every epoch."""
        states = self._embed(inputs, training=False)
        return self._transform(
            states, inputs[features.ATTENTION_MASK], 0, self.frozen_depth or 0, False
        )

    def pooled(self, inputs: Mapping[str, tf.Tensor], training: Optional[bool] = None) -> tf.Tensor:
        """Returns one float32 vector a row, [batch, width]."""
        if self.frozen_depth is None:
            states = self._embed(inputs, training)
        elif FROZEN_STATES in inputs:
            states = inputs[FROZEN_STATES]
        else:
            states = tf.stop_gradient(self.frozen_states(inputs))
        return self.pooled_from(states, inputs, training)

    def pooled_from(
        self,
        states: tf.Tensor,
        inputs: Mapping[str, tf.Tensor],
        training: Optional[bool] = None,
    ) -> tf.Tensor:
        """Returns pooled vectors, going on from the frozen part's output (or the embeddings)."""
        mask = inputs[features.ATTENTION_MASK]
        if training and self.token_dropout:
            mask = _hide_tokens(mask, self.token_dropout)
        depth = len(self.layers_of_encoder)
        states = self._transform(states, mask, self.frozen_depth or 0, depth, training)
        if self.pooling == "pooler":
            return tf.cast(self.bert.bert.pooler(states), tf.float32)
        states = tf.cast(states, tf.float32)
        if self.pooling == "first":
            vectors = states[:, 0]
        else:
            # The direction of the sum is the direction of the mean.
            vectors = tf.reduce_sum(states * tf.cast(mask, tf.float32)[:, :, None], axis=1)
        return tf.nn.l2_normalize(vectors, axis=-1) * self.width**0.5

    def score(self, vectors: tf.Tensor, training: Optional[bool] = None) -> tf.Tensor:
        """Returns float32 logits [batch, categories] of pooled vectors."""
        vectors = self.bert.dropout(self.head_inputs(vectors), training=training)
        return tf.cast(self.bert.classifier(vectors), tf.float32)

    def head_inputs(self, vectors: tf.Tensor) -> tf.Tensor:
        """Returns what the classifier sees of pooled vectors, float32 [batch, width]."""
        if self.mlp is None:
            return vectors
        return vectors + tf.cast(self.mlp(vectors), tf.float32)

    def _embed(self, inputs: Mapping[str, tf.Tensor], training: Optional[bool]) -> tf.Tensor:
        return self.bert.bert.embeddings(
            input_ids=inputs[features.INPUT_IDS],
            token_type_ids=inputs[features.TOKEN_TYPE_IDS],
            training=training,
        )

    def _transform(
        self,
        states: tf.Tensor,
        mask: tf.Tensor,
        first: int,
        last: int,
        training: Optional[bool],
    ) -> tf.Tensor:
        # What TFBertMainLayer does, for a part of the layers: masked positions get -10000 before
        # the softmax of each attention.
        bias = (1.0 - tf.cast(mask, states.dtype))[:, None, None, :] * -10000.0
        for layer in self.layers_of_encoder[first:last]:
            (states,) = layer(
                hidden_states=states,
                attention_mask=bias,
                head_mask=None,
                encoder_hidden_states=None,
                encoder_attention_mask=None,
                past_key_value=None,
                output_attentions=False,
                training=training,
            )
        return states


def _name(variable: tf.Variable) -> str:
    """Without the model's own name, which Keras counts up, and as a checkpoint's key can be."""
    path = variable.name.partition("/")[2].removesuffix(":0")
    return path.replace("/", "-").replace(".", "")


def _hide_tokens(mask: tf.Tensor, share: float) -> tf.Tensor:
    seen = tf.cast(tf.random.uniform(tf.shape(mask)) >= share, mask.dtype)
    return mask * tf.concat([tf.ones_like(seen[:, :1]), seen[:, 1:]], axis=1)


def _mlp(hidden: int, width: int) -> tf.keras.Sequential:
    return tf.keras.Sequential(
        [
            tf.keras.layers.Dense(hidden, "gelu"),
            tf.keras.layers.Dense(width, kernel_initializer="zeros"),
        ],
        name="mlp",
    )


def _frozen_depth(freeze: Freeze, layers: int) -> Optional[int]:
    """Number of lowest layers that stay as they are; 0: the embeddings alone; None: nothing."""
    if freeze == "none":
        return None
    if freeze == "embeddings":
        return 0
    if freeze == "half":
        return layers // 2
    return layers if freeze == "all" else min(int(freeze), layers)
