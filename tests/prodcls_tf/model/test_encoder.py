"""Finding and loading encoders, good and bad."""

from __future__ import annotations

import json

import pytest

from prodcls_tf.errors import EncoderError
from prodcls_tf.model.encoder import encoder_folder, load_encoder
from prodcls_tf.model.storage import build_text_to_ids
from tests.tiny import tiny_settings


def test_bundled_encoder_is_found():
    assert (encoder_folder("bundled") / "model.safetensors").is_file()


def test_local_folder_is_taken_as_it_is(tiny_encoder):
    assert encoder_folder(str(tiny_encoder)) == tiny_encoder


@pytest.mark.parametrize("missing", ["vocab.txt", "config.json", "model.safetensors"])
def test_folder_without_a_file_is_refused_by_its_name(tiny_encoder_copy, missing):
    (tiny_encoder_copy / missing).unlink()
    with pytest.raises(EncoderError, match=missing):
        encoder_folder(str(tiny_encoder_copy))


def test_vocabulary_larger_than_the_encoder_s_table_is_refused(tiny_encoder_copy):
    with (tiny_encoder_copy / "vocab.txt").open("a") as stream:
        stream.write("one\nmore\n")
    with pytest.raises(EncoderError, match="must fit"):
        build_text_to_ids(tiny_encoder_copy, tiny_settings(tiny_encoder_copy))


def test_other_kind_of_model_is_refused(tiny_encoder_copy):
    path = tiny_encoder_copy / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_type": "gpt2"}))
    with pytest.raises(EncoderError, match="gpt2"):
        encoder_folder(str(tiny_encoder_copy))


def test_config_that_is_no_json_is_refused(tiny_encoder_copy):
    (tiny_encoder_copy / "config.json").write_text("{")
    with pytest.raises(EncoderError, match="readable JSON"):
        encoder_folder(str(tiny_encoder_copy))


def test_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(EncoderError, match="lacks config.json"):
        encoder_folder(str(tmp_path / "none"))


def test_name_that_neither_folder_nor_hub_has_is_refused():
    with pytest.raises(EncoderError, match="no-such-checkpoint"):
        encoder_folder("no-such-checkpoint")


def test_weights_that_cannot_be_read_are_refused(tiny_encoder_copy):
    (tiny_encoder_copy / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(EncoderError, match="readable"):
        load_encoder(tiny_encoder_copy, num_labels=3, dropout=0.1, head_dropout=0.1)


def test_loaded_encoder_has_a_head_for_the_categories(tiny_encoder):
    bert = load_encoder(tiny_encoder, num_labels=7, dropout=0.2, head_dropout=0.3)
    assert bert.classifier.units == 7
    assert bert.config.hidden_dropout_prob == 0.2
    assert bert.dropout.rate == 0.3
