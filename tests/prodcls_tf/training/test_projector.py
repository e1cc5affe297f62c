"""The projector's files: which rows, which labels, and titles that would break a table."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.errors import OutputError
from prodcls_tf.settings import DataSettings
from prodcls_tf.training.projector import EmbeddedRows, rows_to_embed, write_projector

CATEGORIES = ["Audio", "Phones > Cases"]


def examples_of(titles: list[bytes], labels: list[int]) -> EncodedExamples:
    ids = tf.ragged.constant([[2, 3]] * len(titles), tf.int32)
    texts = {"title": tf.constant(titles), "description": tf.constant([b"no"] * len(titles))}
    return EncodedExamples(ids, ids, texts, np.array(labels, np.int32))


def write(folder, titles, labels, best, chosen=None):
    rows = np.arange(len(titles)) if chosen is None else np.array(chosen)
    vectors = np.arange(len(rows) * 3, dtype=np.float32).reshape(-1, 3)
    scores = np.eye(len(CATEGORIES))[best]
    examples = examples_of(titles, labels)
    embedded = EmbeddedRows(rows, vectors)
    write_projector(folder, DataSettings(), CATEGORIES, examples, scores, embedded)
    text = (folder / "validation" / "embeddings.tsv").read_bytes().decode("utf-8")
    assert text.endswith("\n")
    return [line.split("\t") for line in text[:-1].split("\n")]


def test_each_row_has_its_categories_and_title(tmp_path):
    lines = write(tmp_path, [b"acme case", b"speaker"], [1, 0], [1, 1])
    assert lines == [
        ["category", "top level", "predicted", "right", "title"],
        ["Phones > Cases", "Phones", "Phones > Cases", "right", "acme case"],
        ["Audio", "Audio", "Phones > Cases", "wrong", "speaker"],
    ]


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        (b"a\tb\nc\r\nd", "a b c d"),
        ("x\u2028y\x85z".encode(), "x y z"),
        (b"nul\x00l", "nul l"),
        (b"\xff\xfe bytes", "\ufffd\ufffd bytes"),
        (b"", ""),
        ("手机壳".encode(), "手机壳"),
        (b"w" * 500, "w" * 100),
    ],
)
def test_title_of_any_kind_stays_one_cell(tmp_path, title, shown):
    lines = write(tmp_path, [title, b"next"], [0, 0], [0, 0])
    assert [len(line) for line in lines] == [5, 5, 5]
    assert lines[1][4] == shown


def test_only_chosen_rows_are_written(tmp_path):
    lines = write(tmp_path, [b"a", b"b", b"c"], [0, 1, 0], [0, 1, 1], chosen=[0, 2])
    assert [line[4] for line in lines[1:]] == ["a", "c"]
    assert [line[3] for line in lines[1:]] == ["right", "wrong"]


def test_rows_are_bounded_and_the_same_each_time():
    chosen = rows_to_embed(50_000)
    assert len(np.unique(chosen)) == len(chosen) == 2_000
    assert chosen[0] < 500 and chosen[-1] > 49_500
    np.testing.assert_array_equal(chosen, rows_to_embed(50_000))


def test_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "validation").write_text("in the way")
    with pytest.raises(OutputError, match="tensorboard.embeddings=false"):
        write(tmp_path, [b"a"], [0], [0])
