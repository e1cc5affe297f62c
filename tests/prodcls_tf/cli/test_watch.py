from __future__ import annotations

import signal

import pytest

from tests.serving.server.embedded import Process

CLI = ("-m", "prodcls_tf.cli")


@pytest.fixture
def watching(tmp_path):
    arguments = ("watch", tmp_path / "data", "--out", tmp_path / "out", "--label", "category")
    with Process(*arguments, "--every", 0.2, "--settle", 0.5, program=CLI) as process:
        process.until_says("Ctrl-C ends it")
        yield process


def test_products_that_come_are_trained_on(watching, tmp_path):
    span = tmp_path / "data" / "span-1"
    span.mkdir(parents=True)
    # A real run, which refuses what it gets before it loads anything.
    (span / "shop.csv").write_text("name,category\nred cup,Cups\n")
    watching.until_says("products have come")
    watching.until_says("The column 'title' is missing")
    watching.until_says("the run failed (exit code 2); next try in 0 s")
    watching.until_says("trying again")
    (span / "shop.csv").write_text("title,label\nred cup,Cups\n")
    watching.until_says("The column 'category' is missing")


def test_sigterm_ends_it(watching):
    watching.send(signal.SIGTERM)
    assert watching.wait() == 0


def test_ctrl_c_ends_it(watching):
    watching.send(signal.SIGINT)
    assert watching.wait() == 130


def test_wrong_settings_are_told_at_once(call, tmp_path):
    done = call("watch", tmp_path, "--set", "training.epoch=3")
    assert done.code == 2
    assert "there is no such setting" in done.err
