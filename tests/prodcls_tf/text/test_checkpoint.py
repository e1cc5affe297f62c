"""Options and vocabulary read from a checkpoint's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from prodcls_tf.errors import EncoderError
from prodcls_tf.text.checkpoint import TokenizerOptions, check_vocabulary, read_vocabulary

BERT = '{"normalizer": {"type": "BertNormalizer", "lowercase": false, "strip_accents": true}}'


def test_options_are_those_of_the_tokenizer_config(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(
        '{"do_lower_case": false, "strip_accents": null, "tokenize_chinese_chars": false}'
    )
    (tmp_path / "tokenizer.json").write_text(BERT)
    assert TokenizerOptions.from_folder(tmp_path) == TokenizerOptions(False, None, False)


def test_options_fall_back_to_the_normalizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 512}')
    (tmp_path / "tokenizer.json").write_text(BERT)
    assert TokenizerOptions.from_folder(tmp_path) == TokenizerOptions(False, True, True)


@pytest.mark.parametrize("content", ['{"normalizer": null}', '{"normalizer": {"type": "NFC"}}'])
def test_options_fall_back_to_those_of_bert(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    assert TokenizerOptions.from_folder(tmp_path) == TokenizerOptions(True, None, True)


def test_accents_follow_the_case_unless_told() -> None:
    assert TokenizerOptions(True).strips_accents
    assert not TokenizerOptions(False).strips_accents
    assert not TokenizerOptions(True, strip_accents=False).strips_accents


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"do_lower_case": "no"}', '{"do_lower_case": null}']
)
def test_a_broken_config_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer_config.json").write_text(content)
    with pytest.raises(EncoderError, match=r"tokenizer_config\.json"):
        TokenizerOptions.from_folder(tmp_path)


def test_a_missing_vocabulary_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="save_vocabulary"):
        read_vocabulary(tmp_path)


@pytest.mark.parametrize("content", [b"", b"usb\ncable\n", b"[PAD]\n[UNK]\n[CLS]\n", b"\xff\n"])
def test_a_vocabulary_without_its_special_tokens_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(EncoderError, match="Received"):
        read_vocabulary(tmp_path)


def test_every_line_keeps_its_number(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u0085", "", "\u2028", "usb"]
    for end in ("\n", "\r\n"):
        (tmp_path / "vocab.txt").write_bytes((end.join(words) + end).encode())
        assert read_vocabulary(tmp_path) == words


def test_the_message_names_what_is_missing() -> None:
    with pytest.raises(EncoderError, match=r"without \[CLS\], \[SEP\]"):
        check_vocabulary(["[PAD]", "[UNK]"], "a list")
