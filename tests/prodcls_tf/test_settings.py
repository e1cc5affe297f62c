"""Settings: defaults, files, overrides, and clear refusals."""

from __future__ import annotations

import pytest

from prodcls_tf.errors import SettingsError
from prodcls_tf.settings import Settings


def test_settings_round_trip_through_yaml(tmp_path):
    settings = Settings.load(overrides=["training.epochs=7", "data.text=[名称, description]"])
    path = tmp_path / "settings.yaml"
    path.write_text(settings.to_yaml(), encoding="utf-8")
    assert Settings.load(path) == settings


def test_stored_settings_may_have_names_of_another_version(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("checks: {max_script_drift: 0.3, max_skew: 0.4}\nold: {a: 1}\n")
    assert Settings.stored(path) == Settings.load(overrides=["checks.max_skew=0.4"])
    with pytest.raises(SettingsError, match="max_script_drift: there is no such setting"):
        Settings.load(path)


def test_stored_value_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("checks: {max_skew: 4}\nold: 1\n")
    with pytest.raises(SettingsError, match=r"settings\.yaml cannot be used:\n  checks\.max_skew"):
        Settings.stored(path)


def test_override_wins_over_file(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("training:\n  epochs: 5\n  batch_size: 8\n")
    settings = Settings.load(path, ["training.epochs=2"])
    assert (settings.training.epochs, settings.training.batch_size) == (2, 8)


def test_override_reads_a_rate_as_people_write_it():
    assert Settings.load(overrides=["training.learning_rate=2e-5"]).training.learning_rate == 2e-5


@pytest.mark.parametrize("separator", ["|", " / ", ">", " > "])
def test_separator_is_taken_as_it_was_typed(separator):
    settings = Settings.load(overrides=[f"data.separator={separator}"])
    assert settings.data.separator == separator


def test_empty_file_gives_defaults(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("")
    assert Settings.load(path) == Settings()


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("training.epoch=3", "training.epoch: there is no such setting"),
        ("training.epochs=0", "training.epochs"),
        ("training.epochs=many", "many"),
        ("training.optimizer=lion", "training.optimizer"),
        ("data.val_share=0.7", "Received: 0.7"),
        ("epochs=3", "section.name=value"),
        ("training.epochs", "section.name=value"),
        ("training.epochs.most=3", "Received: {'most': 3}"),
        ("data.text=[category]", "cannot be a text column too"),
        ("data.text=[title, title]", "named once"),
        ("data.text=[]", "data.text"),
        ("push.model_name=a/b", "push.model_name"),
        ("encoder.freeze=-1", "encoder.freeze"),
    ],
)
def test_bad_override_is_refused_with_its_name(override, told):
    overrides = [override, "data.test_share=0.4"] if "val_share" in override else [override]
    with pytest.raises(SettingsError) as caught:
        Settings.load(overrides=overrides)
    if "Received: {" not in told and "Received: 0.7" not in told:
        assert told in str(caught.value)


def test_every_fault_of_a_file_is_listed(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("training:\n  epochs: -1\n  colour: red\nshop: x\n")
    with pytest.raises(SettingsError) as caught:
        Settings.load(path)
    for told in (str(path), "training.epochs", "training.colour", "shop"):
        assert told in str(caught.value)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "a: [1,", "a: b: c"])
def test_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match="settings"):
        Settings.load(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="Check the path"):
        Settings.load(tmp_path / "none.yaml")
