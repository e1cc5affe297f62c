"""The fitted wide branch: exact words tell, rank and memory are bounded."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.settings import WideSettings
from prodcls_tf.text.tokenizer import TextToIds
from prodcls_tf.training.wide import fit_wide

CODES = ["kx-2140b", "vv-77", "zz-9000", "qq-31", "pp-5"]


def encoded(titles, labels):
    to_ids = TextToIds(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    return EncodedExamples.from_texts({"title": titles}, labels, to_ids)


@pytest.fixture
def train():
    titles = [f"{code} part {number}" for number in range(8) for code in CODES]
    return encoded(titles, np.tile(np.arange(len(CODES)), 8))


def test_model_numbers_tell_the_category(train):
    branch = fit_wide(train, len(CODES), WideSettings(buckets=2**14), seed=0)
    logits = branch([tf.constant([f"new {code}" for code in CODES])])
    assert logits.numpy().argmax(axis=1).tolist() == [0, 1, 2, 3, 4]


def test_category_without_training_rows_is_ruled_out(train):
    branch = fit_wide(train, len(CODES) + 1, WideSettings(buckets=2**14), seed=0)
    assert branch([tf.constant(["unheard of"])]).numpy()[0, -1] < -19


def test_table_of_a_large_tree_has_a_bounded_rank(train):
    settings = WideSettings(buckets=2**14, rank=3)
    branch = fit_wide(train, len(CODES), settings, seed=0)
    assert branch.table.shape[1] == 3 and branch.mix.shape == (3, len(CODES))


def test_table_of_low_rank_still_tells_the_categories(train):
    branch = fit_wide(train, len(CODES), WideSettings(buckets=2**14, rank=4), seed=0)
    logits = branch([tf.constant([f"new {code}" for code in CODES])])
    assert logits.numpy().argmax(axis=1).tolist() == [0, 1, 2, 3, 4]


def test_columns_are_only_what_training_rows_filled(train):
    branch = fit_wide(train, len(CODES), WideSettings(buckets=2**20), seed=0)
    assert branch.table.shape[0] < 2000
