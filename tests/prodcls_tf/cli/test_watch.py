from __future__ import annotations

import csv
import signal

import pytest

from pipeline.accepted import Baseline
from pipeline.arguments import digest_of
from pipeline.out_folder import OutFolder
from prodcls_tf.data.drift import profile_files
from prodcls_tf.settings import Settings
from tests.serving.server.embedded import Process

from .test_run import make_summary

CLI = ("-m", "prodcls_tf.cli")
ROWS = [("usb cable", "Audio"), ("phone case", "Phones")] * 200


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


def _put(file, rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("title", "category"), *rows])


@pytest.fixture
def learned(tmp_path):
    """A folder of products, and the output folder of a run that learned from them."""
    products, out = tmp_path / "data" / "a.csv", OutFolder(tmp_path / "out")
    _put(products, ROWS)
    settings, state = Settings(), out.schema / "1"
    state.mkdir(parents=True)
    (state / "schema.pbtxt").touch()
    baseline = Baseline(
        origin="", files={}, columns={}, splits={"train": profile_files([products], settings.data)}
    )
    (state / "baseline.json").write_text(baseline.model_dump_json(), encoding="utf-8")
    out.settings.write_text(settings.to_yaml())
    summary = make_summary(fingerprint=digest_of({"all": [products]}))
    out.summary.write_text(summary.model_dump_json())
    return tmp_path


def test_products_wait_until_they_have_drifted(learned):
    arguments = ("watch", learned / "data", "--out", learned / "out", "--on", "drift")
    with Process(*arguments, "--every", 0.2, "--settle", 0.5, program=CLI) as process:
        process.until_says("nothing new since the last run")
        _put(learned / "data" / "b.csv", ROWS[:300])
        process.until_says("products have come that are like those accepted: they wait")
        _put(learned / "data" / "c.csv", [("手机充电线", category) for _, category in ROWS])
        process.until_says("products have drifted: 'title': its texts are ")
        process.until_says("3 files: title → category")
        process.send(signal.SIGTERM)
        assert process.wait() == 0


def test_drift_cannot_be_told_without_checks(call, tmp_path):
    done = call("watch", tmp_path, "--on", "drift", "--set", "checks.enabled=false")
    assert done.code == 2
    assert "by which nothing is accepted" in done.err
