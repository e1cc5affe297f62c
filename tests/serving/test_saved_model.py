from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from prodcls_tf.errors import InputError, ModelError
from serving.saved_model import LocalModel
from tests.serving.tiny_model import CATEGORIES, save_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model") / "1")


@pytest.fixture(scope="module")
def model(folder) -> LocalModel:
    return LocalModel(folder)


def test_answers_are_categories_with_scores_best_first(model):
    (answer,) = model.ask({"title": ["Frying PAN 28cm"], "description": [""]})
    assert answer[0][0] == "Home > Cookware"
    assert [score for _, score in answer] == sorted((s for _, s in answer), reverse=True)
    assert sum(score for _, score in answer) == pytest.approx(1.0)


def test_answers_come_in_the_order_of_the_rows_whatever_the_batches(model):
    titles = ["猫 " * 50, "pan", "headphones " * 9, "a pan", "x"] * 3
    texts = {"title": titles, "description": [""] * len(titles)}
    together = model.ask(texts, batch_size=64)
    assert [answer[0][0] for answer in together[:3]] == [
        CATEGORIES[2], CATEGORIES[1], CATEGORIES[0],
    ]  # fmt: skip
    assert model.ask(texts, batch_size=2) == together


def test_all_fields_count(model):
    (answer,) = model.ask({"title": ["27cm"], "description": ["cast iron pan"]})
    assert answer[0][0] == "Home > Cookware"


def test_no_rows_are_no_answers(model):
    assert model.ask({"title": [], "description": []}) == []


@pytest.mark.parametrize(
    "title", ["", "   ", "😀", "a\0b", "שלום", "\ud83d half an emoji", "x" * 10**6]
)
def test_strange_titles_get_an_answer(model, title):
    (answer,) = model.ask({"title": [title], "description": [""]})
    assert len(answer) == 3
    assert np.isfinite([score for _, score in answer]).all()


def test_names_its_fields_columns_and_categories(model):
    assert model.fields == ["title", "description"]
    assert model.columns == ["title", "description"]
    assert model.categories == CATEGORIES


def test_columns_keep_their_names_and_order(tmp_path):
    model = LocalModel(save_tiny_model(tmp_path / "1", ("Product Name", "Brand")))
    assert model.columns == ["Product Name", "Brand"]
    assert model.fields == ["Product_Name", "Brand"]


def test_without_stored_settings_the_title_comes_first(tmp_path):
    folder = save_tiny_model(tmp_path / "1", ("brand", "title"))
    (folder / "assets.extra" / "settings.yaml").unlink()
    assert LocalModel(folder).fields == ["title", "brand"]


def test_scores_of_all_categories_agree_with_the_answers(model):
    rows = [("pan", ""), ("headphones", "with a 猫"), ("", "")]
    scores = model.scores(rows, batch_size=2)
    answers = model.ask({"title": [r[0] for r in rows], "description": [r[1] for r in rows]})
    assert scores.shape == (3, 3)
    for row, answer in zip(scores, answers, strict=True):
        by_name = dict(answer)
        np.testing.assert_allclose(row, [by_name[name] for name in CATEGORIES], atol=1e-6)


def test_unknown_field_is_refused(model):
    with pytest.raises(InputError, match="title, description"):
        model.ask({"title": ["a"], "brand": ["b"]})


def test_lists_of_different_lengths_are_refused(model):
    with pytest.raises(InputError, match="one string a row"):
        model.ask({"title": ["a", "b"], "description": ["c"]})


@pytest.mark.parametrize(
    ("name", "keep"), [("saved_model.pb", 1_000), ("variables/variables.data-00000-of-00001", 5)]
)
def test_truncated_model_is_refused(tmp_path, name, keep):
    folder = save_tiny_model(tmp_path / "1")
    file = folder / name
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ModelError, match="readable"):
        LocalModel(folder)


def test_foreign_saved_model_is_refused(tmp_path):
    module = tf.Module()
    module.variable = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "1"))
    with pytest.raises(ModelError, match="serving_default"):
        LocalModel(tmp_path)


def test_model_loads_without_transformers_and_tfx(folder, fresh_python):
    loaded = fresh_python(
        "import sys; from serving.saved_model import LocalModel;"
        f"LocalModel({str(folder)!r}).ask({{'title': ['a'], 'description': ['b']}});"
        "print(*(name for name in ('transformers', 'tfx', 'sklearn') if name in sys.modules))"
    )
    assert not loaded.split()
