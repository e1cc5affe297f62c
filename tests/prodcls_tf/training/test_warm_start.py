from __future__ import annotations

import numpy as np
import pytest

from prodcls_tf.classifier import ProductClassifier
from prodcls_tf.errors import ModelError, SettingsError
from prodcls_tf.settings import Settings
from prodcls_tf.training.warm_start import FormerModel, check_fit
from tests.tiny import tiny_rows, tiny_settings, write_tiny_encoder

# Weights that stay as they are, so that what was taken over can be seen.
STILL = ("training.learning_rate=1e-12", "training.weight_average=0", "wide.enabled=false")
MLP = ("head.hidden=8", "encoder.freeze=none")


def fitted(encoder, rows, *overrides):
    classifier = ProductClassifier(tiny_settings(encoder, *overrides))
    classifier.fit(rows, rows)
    return classifier


@pytest.fixture(scope="module")
def shop():
    return tiny_rows(60)


@pytest.fixture(scope="module")
def former(tiny_encoder, shop):
    """A classifier that has moved away from its pretrained encoder."""
    return fitted(tiny_encoder, shop, *MLP, "training.learning_rate=0.01", "wide.enabled=false")


@pytest.fixture(scope="module")
def folder(former, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "1"
    former.export(folder)
    return folder


@pytest.fixture(scope="module")
def changed_shop(shop):
    """Another span: `Audio` is gone, `Shoes` is new."""
    kept = [row for row, path in enumerate(shop["category"]) if path != "Audio"]
    rows = {name: [column[row] for row in kept] for name, column in shop.items()}
    rows["title"] += [f"elmar boot {number}" for number in range(20)]
    rows["category"] += ["Shoes"] * 20
    return rows


@pytest.fixture(scope="module")
def later(tiny_encoder, folder, changed_shop):
    """What a training that changes nothing makes of the former model."""
    return fitted(tiny_encoder, changed_shop, *MLP, *STILL, f"training.warm_start={folder}")


def head(classifier):
    kernel, bias = classifier.model.deep.bert.classifier.get_weights()
    return {
        path: (kernel[:, number], bias[number]) for number, path in enumerate(classifier.categories)
    }


def test_encoder_and_mlp_go_on_from_the_former_models(former, later):
    before, after = (classifier.model.deep.named_variables for classifier in (former, later))
    assert before.keys() == after.keys()
    assert any(name.startswith("mlp-") for name in after)
    for name in before.keys() - {"classifier-kernel", "classifier-bias"}:
        np.testing.assert_allclose(after[name], before[name], atol=1e-6, err_msg=name)


def test_head_keeps_what_it_knew_of_categories_that_stay(former, later):
    for path in ("Phones > Cases", "Phones > Cables"):
        for before, after in zip(head(former)[path], head(later)[path], strict=True):
            np.testing.assert_allclose(after, before, atol=1e-6)


def test_category_that_is_gone_is_forgotten(later):
    assert later.categories == ["Phones > Cables", "Phones > Cases", "Shoes"]


def test_new_category_is_found_before_the_first_step(later, changed_shop):
    shoes = [later.predict([title])[0].category for title in changed_shop["title"][-20:]]
    assert shoes.count("Shoes") >= 18


def test_figures_before_training_are_those_of_the_former_model(tiny_encoder, former, folder, shop):
    settings = tiny_settings(tiny_encoder, *MLP, *STILL, f"training.warm_start={folder}")
    trained = ProductClassifier(settings).fit(shop, shop)
    assert trained.baseline["val"].accuracy == former.evaluate(shop).accuracy


def test_other_frozen_layers_are_no_hindrance(tiny_encoder, former, folder):
    start = FormerModel.read(folder)
    other = fitted(tiny_encoder, tiny_rows(12), "head.hidden=8", "encoder.freeze=all", *STILL)
    start.start_encoder(other.model.deep)
    for name, weight in other.model.deep.named_variables.items():
        if not name.startswith("classifier"):
            np.testing.assert_array_equal(weight, start.weights[name], err_msg=name)


def test_model_of_another_encoder_is_refused(tmp_path, folder):
    from transformers import BertConfig, TFBertForSequenceClassification

    encoder = write_tiny_encoder(tmp_path / "encoder")
    config = BertConfig.from_pretrained(encoder, hidden_size=16)
    wider = TFBertForSequenceClassification(config)
    wider.build()
    wider.save_pretrained(encoder, safe_serialization=True)
    with pytest.raises(ModelError, match="the same encoder"):
        fitted(encoder, tiny_rows(12), *MLP, *STILL, f"training.warm_start={folder}")


@pytest.mark.parametrize("setting", ["encoder.pooling=first", "head.hidden=0", "encoder.name=x"])
def test_setting_that_makes_the_weights_useless_is_refused(tiny_encoder, folder, setting):
    settings = tiny_settings(tiny_encoder, *MLP, f"training.warm_start={folder}", setting)
    with pytest.raises(SettingsError, match=f"needs the same {setting.partition('=')[0]}"):
        check_fit(settings)


def test_settings_that_fit_are_let_through(tiny_encoder, folder):
    check_fit(tiny_settings(tiny_encoder, *MLP, f"training.warm_start={folder}"))
    check_fit(Settings())


def test_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="can go on from a SavedModel"):
        check_fit(Settings.load(overrides=[f"training.warm_start={tmp_path}"]))
    with pytest.raises(ModelError, match="can go on from a SavedModel"):
        FormerModel.read(tmp_path)


def test_model_without_names_is_refused(tmp_path):
    import tensorflow as tf

    foreign = tf.Module()
    foreign.categories = tf.Variable(["a", "b"], trainable=False)
    tf.saved_model.save(foreign, str(tmp_path))
    with pytest.raises(ModelError, match="none of its weights have names"):
        FormerModel.read(tmp_path)
