from __future__ import annotations

import yaml

from prodcls_tf.settings import Settings


def test_prints_a_file_that_reads_back(call, tmp_path):
    done = call("settings")
    file = tmp_path / "my.yaml"
    file.write_text(done.out, encoding="utf-8")
    assert Settings.load(file) == Settings()


def test_single_settings_win_over_the_file(call, tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("training: {epochs: 2, batch_size: 8}\n", encoding="utf-8")
    done = call("settings", "--config", file, "--set", "training.epochs=7")
    training = yaml.safe_load(done.out)["training"]
    assert (training["epochs"], training["batch_size"]) == (7, 8)


def test_unknown_setting_is_refused(call):
    done = call("settings", "--set", "training.epoch=7")
    assert done.code == 2
    assert "training.epoch" in done.err
