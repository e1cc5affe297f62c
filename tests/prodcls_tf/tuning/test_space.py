"""What a search tries, as settings and as KerasTuner's hyperparameters."""

from __future__ import annotations

import pytest

from prodcls_tf.errors import SettingsError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.dimensions import hyperparameters, most_epochs, setting_values
from prodcls_tf.tuning.oracle import make_oracle

ALL_FIXED = [
    "tuning.space.encoder={dropout: null, token_dropout: null, freeze: null, max_length: null}",
    *(f"tuning.space.head.{name}=null" for name in ("hidden", "dropout")),
    *(
        f"tuning.space.training.{name}=null"
        for name in (
            "epochs", "learning_rate", "warmup_share", "schedule", "weight_decay",
            "label_smoothing", "class_weight_exponent",
        )
    ),
    "tuning.space.training.batch_size=[32]",
]  # fmt: skip


def space(*overrides: str, width: int = 384) -> dict[str, object]:
    declared = hyperparameters(Settings.load(overrides=overrides), width).space
    return {dimension.name: dimension for dimension in declared}


def test_a_setting_that_is_left_out_is_not_tried():
    assert "training.epochs" not in space("tuning.space.training.epochs=null")


def test_a_list_of_one_value_fixes_a_setting():
    fixed = space("tuning.space.training.batch_size=[8]")["training.batch_size"]
    assert list(fixed.values) == [8]


def test_a_range_of_whole_numbers_gives_whole_numbers():
    overrides = "tuning.space.training.epochs={min: 2, max: 9, step: 2}"
    drawn = {space(overrides)["training.epochs"].random_sample(seed) for seed in range(40)}
    assert drawn == {2, 4, 6, 8}


def test_rates_of_a_wide_encoder_are_those_of_berts_authors():
    rates = space(width=768)["training.learning_rate"]
    assert (rates.min_value, rates.max_value) == (1e-5, 5e-5)


def test_rates_of_a_narrow_encoder_are_higher():
    assert space(width=384)["training.learning_rate"].min_value > 1e-5


def test_numbers_and_words_may_stand_in_one_list():
    freeze = space("tuning.space.encoder.freeze=[2, half]")["encoder.freeze"]
    tried = [setting_values({"encoder.freeze": value}) for value in freeze.values]
    assert tried == [{"encoder.freeze": 2}, {"encoder.freeze": "half"}]


def test_hyperband_sets_the_epochs_itself():
    assert "training.epochs" not in space("tuning.algorithm=hyperband")
    assert most_epochs(Settings()) == 8
    assert setting_values({"tuner/epochs": 3, "tuner/round": 1}) == {"training.epochs": 3}


def test_a_space_without_a_choice_is_refused():
    with pytest.raises(SettingsError, match="more than one value"):
        space(*ALL_FIXED)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("tuning.space.training.momentum=[1]", "there is no such setting"),
        ("tuning.space.training.batch_size=[0]", "tuning tries 0 for batch_size"),
        ("tuning.space.training.epochs=[]", "must list a value"),
        ("tuning.space.training.epochs={min: 5, max: 2}", "min must be less than max"),
        ("tuning.space.head.dropout={min: 0, max: 0.5, log: true}", "begins above 0"),
        ("tuning.space.training.schedule=[steep]", "tuning tries 'steep' for schedule"),
        ("tuning.objective=f1", "macro_f1"),
    ],
)
def test_a_space_that_cannot_be_tried_is_refused(override, told):
    with pytest.raises(SettingsError) as caught:
        Settings.load(overrides=[override])
    assert told in str(caught.value)


def test_settings_with_values_leave_the_others_as_they_are():
    settings = Settings.load(overrides=["head.hidden=7"])
    changed = settings.with_values({"training.epochs": 3})
    assert (changed.training.epochs, changed.head.hidden) == (3, 7)


def test_a_value_of_an_unknown_setting_is_refused():
    with pytest.raises(SettingsError, match="training.speed"):
        Settings().with_values({"training.speed": 3})


def test_whole_and_broken_numbers_may_stand_in_one_list():
    assert space("tuning.space.head.dropout=[0, 0.1]")["head.dropout"].values == [0.0, 0.1]


def test_a_short_training_is_refused_for_hyperband():
    settings = Settings.load(
        overrides=["tuning.algorithm=hyperband", "tuning.space.training.epochs=[2]"]
    )
    with pytest.raises(SettingsError, match="Hyperband gives its best trials 3 times the epochs"):
        make_oracle(settings, 384)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs={min: 2.0, max: 9.0}", "integer"),
        ("training.epochs={min: 2, max: 9, step: 0.5}", "whole numbers"),
        ("training.weight_decay={min: 0.1, max: .inf}", "finite"),
    ],
)
def test_a_range_that_the_setting_cannot_have_is_refused(override, message):
    with pytest.raises(SettingsError, match=message):
        Settings.load(overrides=[f"tuning.space.{override}"])


def test_a_search_without_end_is_refused():
    with pytest.raises(SettingsError, match="finite"):
        Settings.load(overrides=["tuning.max_minutes=.inf"])
