"""The library's classifier: learns, answers, keeps its word after save and load."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prodcls_tf import ProductClassifier
from prodcls_tf.errors import InputError, ModelError, OutputError, SettingsError
from tests.tiny import DEEP, tiny_rows, tiny_settings

HOSTILE = ["", " ", "\x00", "🙂 ع ط ر", "手机壳", "[SEP] case", "cable " * 300]


@pytest.fixture(scope="module")
def fitted(tiny_encoder):
    classifier = ProductClassifier(tiny_settings(tiny_encoder))
    trained = classifier.fit(tiny_rows(150))
    return classifier, trained


def test_it_learns_what_titles_say(fitted):
    metrics = fitted[0].evaluate(tiny_rows(60, seed=5))
    assert metrics.accuracy > 0.95
    assert [entry.category for entry in metrics.categories] == fitted[0].categories


def test_training_reports_figures_before_and_after(fitted):
    trained = fitted[1]
    assert set(trained.metrics) == set(trained.baseline) == {"train", "val"}
    assert {"loss", "val_macro_f1"} <= set(trained.history[0])


def test_predictions_are_ranked_and_sum_to_one(fitted):
    for prediction in fitted[0].predict(HOSTILE, top_k=99):
        scores = [score for _, score in prediction.ranked]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1.0, abs=1e-5)
        assert prediction.ranked[0] == (prediction.category, prediction.score)


def test_predictions_keep_the_order_of_rows(fitted):
    rows = tiny_rows(30, seed=8)["title"]
    together = [prediction.category for prediction in fitted[0].predict(rows)]
    alone = [fitted[0].predict([row])[0].category for row in rows[:5]]
    assert together[:5] == alone


def test_saved_classifier_answers_the_same_when_loaded(fitted, tmp_path):
    fitted[0].save(tmp_path / "saved")
    loaded = ProductClassifier.load(tmp_path / "saved")
    assert loaded.settings == fitted[0].settings
    for before, after in zip(fitted[0].predict(HOSTILE), loaded.predict(HOSTILE), strict=True):
        assert [path for path, _ in before.ranked] == [path for path, _ in after.ranked]
        np.testing.assert_allclose(before.score, after.score, atol=1e-6)


def test_two_text_columns_and_a_data_frame(tiny_encoder):
    rows = pd.DataFrame(tiny_rows(90))
    rows["Long text"] = [None if i % 3 else "with charger" for i in range(len(rows))]
    settings = tiny_settings(tiny_encoder, "data.text=[title, Long text]", DEEP)
    classifier = ProductClassifier(settings)
    classifier.fit(rows, rows.iloc[:20])
    answer = classifier.predict({"title": ["acme case"], "Long text": [float("nan")]})
    assert answer[0].category in classifier.categories


@pytest.mark.parametrize("wide", ["true", "false"])
def test_two_categories_work(tiny_encoder, wide):
    rows = pd.DataFrame(tiny_rows(90)).query("category != 'Audio'")
    classifier = ProductClassifier(tiny_settings(tiny_encoder, f"wide.enabled={wide}"))
    classifier.fit(rows)
    assert classifier.evaluate(rows).accuracy > 0.6


@pytest.mark.parametrize(
    "overrides",
    [
        ["encoder.freeze=none", "training.optimizer=adam", "head.probe=false"],
        ["encoder.freeze=all", "training.optimizer=sgd", "head.hidden=8"],
        ["encoder.pooling=pooler", "training.schedule=cosine", "training.cache_mb=0"],
        ["encoder.pooling=first", "training.class_weight_exponent=0.5"],
    ],
)
def test_settings_of_every_kind_train(tiny_encoder, overrides):
    classifier = ProductClassifier(tiny_settings(tiny_encoder, DEEP, *overrides))
    trained = classifier.fit(tiny_rows(60))
    assert np.isfinite(trained.history[-1]["loss"])


def test_same_seed_gives_the_same_classifier(fitted, tiny_encoder):
    again = ProductClassifier(tiny_settings(tiny_encoder))
    again.fit(tiny_rows(150))
    titles = tiny_rows(20, seed=5)["title"]
    first, second = (
        [prediction.score for prediction in classifier.predict(titles)]
        for classifier in (fitted[0], again)
    )
    assert first == pytest.approx(second, abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"name": ["a"], "category": ["A"]}, "'title'"),
        ({"title": ["a", "b"]}, "'category'"),
        ({"title": ["a", "b"], "category": ["A", None]}, "index 1"),
        ({"title": ["a", "b"], "category": ["A", "A"]}, "at least two categories"),
        ("a title", "Put it into a list"),
    ],
)
def test_rows_that_cannot_be_learned_from_are_refused(tiny_encoder, rows, told):
    with pytest.raises(InputError, match=told):
        ProductClassifier(tiny_settings(tiny_encoder)).fit(rows)


def test_rows_too_few_to_choose_with_are_refused(tiny_encoder):
    rows = {"title": ["acme case", "acme cable"], "category": ["A", "B"]}
    with pytest.raises(InputError, match="validation rows"):
        ProductClassifier(tiny_settings(tiny_encoder)).fit(rows)


def test_length_beyond_the_encoder_s_positions_is_refused(tiny_encoder):
    settings = tiny_settings(tiny_encoder, "encoder.max_length=65")
    with pytest.raises(SettingsError, match="64 positions"):
        ProductClassifier(settings).fit(tiny_rows(30))


def test_saved_folder_with_a_missing_part_is_refused(fitted, tmp_path):
    fitted[0].save(tmp_path)
    (tmp_path / "branches.npz").unlink()
    with pytest.raises(ModelError, match="must be whole"):
        ProductClassifier.load(tmp_path)


def test_no_categories_asked_for_is_refused(fitted):
    with pytest.raises(InputError, match="top_k"):
        fitted[0].predict(["a"], top_k=0)


def test_validation_rows_of_unknown_categories_are_refused(tiny_encoder):
    other = {"title": ["x"], "category": ["Garden"]}
    with pytest.raises(InputError, match="Garden"):
        ProductClassifier(tiny_settings(tiny_encoder)).fit(tiny_rows(30), other)


def test_columns_of_different_length_are_refused(fitted):
    with pytest.raises(InputError):
        fitted[0].evaluate({"title": ["a", "b"], "category": ["Audio"]})


def test_unknown_category_in_evaluation_is_refused(fitted):
    with pytest.raises(InputError, match="Garden"):
        fitted[0].evaluate({"title": ["x"], "category": ["Garden"]})


def test_unfitted_classifier_says_so(tiny_encoder):
    with pytest.raises(ModelError, match="fitted first"):
        ProductClassifier(tiny_settings(tiny_encoder)).predict(["a"])


def test_folder_that_is_no_classifier_is_refused(tmp_path):
    with pytest.raises(ModelError, match="lacks settings.yaml"):
        ProductClassifier.load(tmp_path)


def test_folder_that_cannot_be_written_is_refused(fitted, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="can be written"):
        fitted[0].save(tmp_path / "file")
    with pytest.raises(OutputError, match="can be written"):
        fitted[0].export(tmp_path / "file" / "1")
