from __future__ import annotations

import pytest

from pipeline.continuing import is_new, with_warm_start
from pipeline.out_folder import OutFolder
from pipeline.summary import Summary
from prodcls_tf.release.moves import roll_back
from prodcls_tf.settings import Settings
from tests.prodcls_tf.release.small_model import export

SETTINGS = Settings.load(overrides=["training.epochs=2"])


@pytest.fixture
def out(tmp_path):
    """The folder of a run that ended, and pushed versions 7 and 12."""
    folder = OutFolder(tmp_path)
    for version in ("7", "12"):
        export(folder.serving / "prodcls" / version)
    started = SETTINGS.with_values({"training.warm_start": "/models/7"})
    folder.settings.write_text(started.to_yaml())
    summary = Summary(
        model=None, pushed=False, reason="", splits={}, seconds={}, cached=[], peak_memory_mb=1.0,
        versions={}, fingerprint="a3", settings={},
    )  # fmt: skip
    folder.summary.write_text(summary.model_dump_json())
    return tmp_path


def test_same_files_and_settings_are_nothing_new(out):
    assert not is_new(SETTINGS, "a3", out)


@pytest.mark.parametrize(
    ("setting", "fingerprint"), [("training.epochs=3", "a3"), ("training.epochs=2", "b4")]
)
def test_other_files_or_settings_are_new(out, setting, fingerprint):
    assert is_new(Settings.load(overrides=[setting]), fingerprint, out)


def test_run_that_did_not_end_is_done_again(out):
    OutFolder(out).summary.unlink()
    assert is_new(SETTINGS, "a3", out)


def test_files_that_cannot_be_read_count_as_no_run(out):
    OutFolder(out).settings.write_text("nonsense: [")
    assert is_new(SETTINGS, "a3", out)


def test_training_on_other_files_goes_on_from_the_version_that_serves(out):
    start = with_warm_start(SETTINGS, "b4", out).training.warm_start
    assert start == str(out / "serving" / "prodcls" / "12")


def test_training_goes_on_from_what_was_rolled_back_to(out):
    roll_back(out / "serving" / "prodcls")
    start = with_warm_start(SETTINGS, "b4", out).training.warm_start
    assert start == str(out / "serving" / "prodcls" / "7")


def test_same_run_again_goes_on_from_where_it_did(out):
    assert with_warm_start(SETTINGS, "a3", out).training.warm_start == "/models/7"


def test_first_run_starts_from_the_encoder(tmp_path):
    assert with_warm_start(SETTINGS, "a3", tmp_path) == SETTINGS
