"""The deep branch: equal to TFBert, indifferent to padding, frozen where it is told."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from prodcls_tf.model.deep_branch import FROZEN_STATES, DeepBranch, pad
from prodcls_tf.model.encoder import load_encoder

IDS = tf.ragged.constant([[2, 7, 8, 3], [2, 9, 3], [2, 10, 11, 12, 13, 3]], dtype=tf.int32)
TYPES = tf.ragged.constant([[0, 0, 0, 0], [0, 0, 0], [0, 0, 0, 1, 1, 1]], dtype=tf.int32)


def build(encoder, **options):
    bert = load_encoder(encoder, num_labels=4, dropout=0.1, head_dropout=0.1)
    branch = DeepBranch(bert, **options)
    branch(pad(IDS, TYPES))
    return branch


def test_padding_reaches_a_multiple_of_eight():
    padded = pad(IDS, TYPES)
    assert padded["input_ids"].shape == (3, 8)
    assert padded["attention_mask"].numpy().sum(axis=1).tolist() == [4, 3, 6]


def test_pooler_gives_the_logits_of_tfbert(tiny_encoder):
    branch = build(tiny_encoder, pooling="pooler")
    inputs = pad(IDS, TYPES)
    np.testing.assert_allclose(branch(inputs), branch.bert(inputs).logits, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "first", "pooler"])
def test_logits_do_not_depend_on_padding(tiny_encoder, pooling):
    branch = build(tiny_encoder, pooling=pooling)
    wide = branch(pad(IDS, TYPES, multiple=32))
    np.testing.assert_allclose(branch(pad(IDS, TYPES)), wide, atol=1e-5)


@pytest.mark.parametrize("freeze", ["embeddings", 1, "half", "all"])
def test_frozen_states_give_the_same_logits(tiny_encoder, freeze):
    branch = build(tiny_encoder, freeze=freeze)
    inputs = pad(IDS, TYPES)
    states = {
        FROZEN_STATES: branch.frozen_states(inputs),
        "attention_mask": inputs["attention_mask"],
    }
    np.testing.assert_allclose(branch(states), branch(inputs), atol=1e-6)


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        ("none", {"embeddings", "layer_._0", "layer_._1", "classifier"}),
        ("embeddings", {"layer_._0", "layer_._1", "classifier"}),
        ("half", {"layer_._1", "classifier"}),
        ("all", {"classifier"}),
        (99, {"classifier"}),
    ],
)
def test_freeze_leaves_only_the_upper_part_to_train(tiny_encoder, freeze, trained):
    branch = build(tiny_encoder, freeze=freeze)
    names = [variable.name for variable in branch.trainable_variables]
    parts = ("embeddings", "layer_._0", "layer_._1", "pooler", "classifier")
    found = {p for p in parts if any(f"{p}/" in name for name in names)}
    assert found == trained


def test_mlp_works_under_the_mixed_precision_of_a_gpu(tiny_encoder):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        logits = build(tiny_encoder, hidden=16)(pad(IDS, TYPES), training=True)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert logits.dtype == tf.float32


def test_mlp_begins_by_changing_nothing_and_is_trained(tiny_encoder):
    branch = build(tiny_encoder, hidden=16)
    vectors = branch.pooled(pad(IDS, TYPES))
    np.testing.assert_allclose(branch.score(vectors), branch.bert.classifier(vectors), atol=1e-6)
    trained = {id(variable) for variable in branch.trainable_variables}
    assert {id(variable) for variable in branch.mlp.variables} <= trained
