"""Hashed n-grams: counts by hand, folding, buckets, and the same in every way of running."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from prodcls_tf.errors import InputError, SettingsError
from prodcls_tf.text.fields import MAX_BYTES
from prodcls_tf.text.ngrams import HashedNGrams

HOSTILE = json.loads(
    (Path(__file__).parents[2] / "data" / "hostile_strings.json").read_text(encoding="ascii")
)
WORDS = HashedNGrams(word_ngrams=(1, 1), char_ngrams=(0, 0))


def rows(module: HashedNGrams, *fields: list[str] | list[bytes]) -> list[list[int]]:
    return module([tf.constant(field, tf.string) for field in fields]).to_list()


def row(module: HashedNGrams, text: str) -> list[int]:
    return rows(module, [text])[0]


@pytest.mark.parametrize(
    ("text", "word_ngrams", "char_ngrams", "across_words", "count"),
    [
        ("ab cd", (1, 1), (0, 0), False, 2),
        ("ab cd", (1, 2), (0, 0), False, 3),
        ("ab cd ef", (2, 3), (0, 0), False, 3),
        ("ab cd", (0, 0), (1, 1), False, 4),
        # " ab " and " cd ": 3 pairs, 2 triples and one of four characters each.
        ("ab cd", (0, 0), (2, 2), False, 6),
        ("ab cd", (0, 0), (3, 3), False, 4),
        ("ab cd", (0, 0), (2, 5), False, 12),
        ("  ab   cd\t", (0, 0), (2, 5), False, 12),
        # " ab cd " has 7 characters.
        ("ab cd", (0, 0), (2, 5), True, 6 + 5 + 4 + 3),
        ("  ab \t cd ", (0, 0), (2, 5), True, 6 + 5 + 4 + 3),
        ("ab cd", (1, 2), (2, 5), False, 15),
        ("a", (1, 2), (4, 5), False, 1),
        ("字母", (0, 0), (2, 3), False, 5),
        ("", (1, 2), (2, 5), False, 0),
        (" \n ", (1, 2), (2, 5), True, 0),
        ("ab", (0, 0), (0, 0), False, 0),
    ],
)
def test_number_of_ngrams(
    text: str,
    word_ngrams: tuple[int, int],
    char_ngrams: tuple[int, int],
    across_words: bool,
    count: int,
) -> None:
    module = HashedNGrams(2**18, word_ngrams, char_ngrams, across_words)
    assert len(row(module, text)) == count


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Kettle KX-2140B, black.", ["kettle", "kx-2140b", "black"]),
        ('13.3" laptop "new"', ['13.3"', "laptop", "new"]),
        ('5"x3', ['5"', "x3"]),
        ("1/2in 16:9 black/white red,blue", ["1/2in", "16:9", "black", "white", "red", "blue"]),
        ("R&B men's 100% (2-pack)", ["r&b", "men's", "100%", "2-pack"]),
        ("Sony® - 5€ 🔥phone", ["sony", "5", "phone"]),
        ("手机，新款", ["手机", "新款"]),
    ],
)
def test_what_a_word_is(text: str, words: list[str]) -> None:
    assert row(WORDS, text) == [row(WORDS, word)[0] for word in words]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Crème BRÛLÉE", "creme brulee"),
        ("Cre\u0300me", "Crème"),
        ("ＫＸ－２１４０Ｂ", "kx-2140b"),
        ("ﬁne ½", "fine 1/2"),
        ("STRASSE", "straße"),
        ("ΟΔΟΣ", "οδος"),
        ("kx‑2140 – “new”", 'kx-2140 - "new"'),
        ("soft\u00adware\0\u200b", "software"),
        ("각 が", "\u1100\u1161\u11a8 か\u3099"),
        ("שָׁלוֹם", "שלום"),
        ("a\u3000b\xa0c\nd", "a b c d"),
    ],
)
def test_folding(one: str, other: str) -> None:
    module = HashedNGrams()
    assert row(module, one) == row(module, other) != []


@pytest.mark.parametrize(("one", "other"), [("が", "か"), ("कि", "क"), ("a-b", "ab"), ("각", "가")])
def test_what_is_not_folded(one: str, other: str) -> None:
    assert row(WORDS, one) != row(WORDS, other)


@pytest.mark.parametrize("across_words", [False, True])
def test_nothing_crosses_rows_or_fields(across_words: bool) -> None:
    module = HashedNGrams(across_words=across_words)
    texts = HOSTILE[::5]
    others = texts[::-1]
    alone = [sorted(row(module, text)) for text in texts[:60]]
    assert [sorted(found) for found in rows(module, texts)[:60]] == alone
    pairs = rows(module, texts[:60], others[:60])
    for found, first, second in zip(pairs, alone, rows(module, others[:60]), strict=True):
        assert sorted(found) == sorted(first + second)


def test_an_ngram_that_repeats_is_there_twice() -> None:
    assert row(WORDS, "usb usb") == 2 * row(WORDS, "usb")


def test_a_word_a_pair_and_characters_are_kept_apart() -> None:
    kinds = [
        row(HashedNGrams(2**31, words, characters), "ab ab")
        for words, characters in [((1, 1), (0, 0)), ((2, 2), (0, 0)), ((0, 0), (2, 2))]
    ]
    assert not set(kinds[0]) & set(kinds[1]) | set(kinds[0]) & set(kinds[2])


def test_the_order_of_letters_and_words_matters() -> None:
    pairs = HashedNGrams(2**31, (2, 2), (0, 0))
    assert row(WORDS, "abc") != row(WORDS, "cba")
    assert row(pairs, "usb cable") != row(pairs, "cable usb")


# A model saved by an older version relies on these; they may change with a new major version only.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("USB", [206434, 223641, 148713, 31734, 134103, 51081, 94254, 41698, 62824, 41621, 137034]),
        ("字 é", [243438, 239657, 202438, 134556, 76951, 172784, 104241, 61601, 56936]),
    ],
)
def test_buckets_never_change(text: str, expected: list[int]) -> None:
    assert row(HashedNGrams(), text) == expected


@pytest.mark.parametrize("buckets", [64, 1000])
def test_buckets_are_uniform(buckets: int) -> None:
    wide = HashedNGrams(buckets=2**31)
    distinct = np.unique(wide([tf.constant(HOSTILE)]).values.numpy())
    # Distinct n-grams, else a frequent one fills its bucket; their rank in 2**31 is their hash.
    counts = np.bincount(distinct.astype(np.int64) * buckets >> 31, minlength=buckets)
    expected = len(distinct) / buckets
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert len(distinct) > 40_000
    # Mean buckets - 1, deviation sqrt(2 * (buckets - 1)); six deviations are allowed.
    assert abs(chi_square - (buckets - 1)) < 6 * np.sqrt(2 * (buckets - 1))


@pytest.mark.parametrize("buckets", [1, 7, 2**18, 2**31])
def test_buckets_stay_in_range(buckets: int) -> None:
    values = HashedNGrams(buckets)([tf.constant(HOSTILE[:500])]).values
    assert values.dtype == tf.int32
    assert int(tf.reduce_min(values)) >= 0
    assert int(tf.reduce_max(values)) < buckets


def test_empty_rows_and_no_rows() -> None:
    assert [len(found) for found in rows(HashedNGrams(), ["", "a", " "])] == [0, 5 - 1, 0]
    assert rows(HashedNGrams(), [], []) == []
    assert rows(HashedNGrams(64, (0, 0), (0, 0)), ["a", "b"]) == [[], []]


def test_only_the_beginning_of_a_long_field_counts() -> None:
    module, beginning = HashedNGrams(), "usb " * (MAX_BYTES // 4 - 1) + "usb"
    assert rows(module, [f"{beginning}手机壳"], ["red"]) == rows(module, [beginning], ["red"])


def test_invalid_utf8_vanishes() -> None:
    module = HashedNGrams()
    assert rows(module, [b"us\xffb\xe5\xad", b"\xed\xa0\x80"]) == [row(module, "usb"), []]


@pytest.mark.parametrize("across_words", [False, True])
def test_graph_data_set_and_saved_model_equal_eager(across_words: bool, tmp_path: Path) -> None:
    module = HashedNGrams(across_words=across_words)
    texts = HOSTILE[::7]
    others = texts[::-1]
    expected = rows(module, texts, others)

    class Exported(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2)
        def serve(self, first: tf.Tensor, second: tf.Tensor) -> tf.RaggedTensor:
            return module([first, second])

    exported = Exported()
    tf.saved_model.save(exported, str(tmp_path))
    for serve in (exported.serve, tf.saved_model.load(str(tmp_path)).serve):
        assert serve(tf.constant(texts), tf.constant(others)).to_list() == expected
    data = tf.data.Dataset.from_tensor_slices((texts, others)).batch(64)
    batches = data.map(lambda first, second: module([first, second]))
    assert [found for batch in batches for found in batch.to_list()] == expected


def test_twenty_thousand_titles_take_seconds_at_most() -> None:
    # A loose bound, a hundred times the usual: it catches a loop over rows.
    module = HashedNGrams()
    titles = tf.constant(['Acme 13.3" Wireless Bluetooth Headphones KX-2140B black, set'] * 20_000)
    encode = tf.function(lambda texts: module([texts]))
    encode(titles[:2])
    start = time.monotonic()
    encode(titles)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    "settings",
    [
        {"buckets": 0},
        {"buckets": 2**31 + 1},
        {"word_ngrams": (2, 1)},
        {"char_ngrams": (0, 3)},
        {"char_ngrams": (-1, 3)},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict) -> None:
    with pytest.raises(SettingsError, match="Received"):
        HashedNGrams(**settings)


def test_no_fields_are_refused() -> None:
    with pytest.raises(InputError, match="one or more"):
        HashedNGrams()([])
