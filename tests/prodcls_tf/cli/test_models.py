from __future__ import annotations

import json
import shutil
import time

import pytest

from prodcls_tf.release.order import config_file
from tests.prodcls_tf.release.small_model import export
from tests.serving.server.embedded import Process, asking, running
from tests.serving.tiny_model import save_tiny_model

CLI = ("-m", "prodcls_tf.cli")


@pytest.fixture
def out(tmp_path):
    """The output folder of a run with versions 3, 4, 5 and half of 6."""
    base = tmp_path / "mine" / "serving" / "prodcls"
    for number in (3, 4, 5, 6):
        export(base / str(number))
    (base / "6" / "saved_model.pb").unlink()
    return tmp_path / "mine"


def listed(call, out):
    return json.loads(call("models", "list", "--out", out, "--json").out)


def test_list_shows_figures_labels_and_what_serves(call, out):
    call("models", "promote", "4", "--out", out)
    done = call("models", "list", "--out", out)
    assert done.code == 0
    six, five, four, three = (line.rstrip() for line in done.out.splitlines()[3:7])
    assert six.endswith("incomplete")
    assert "version 6 lacks saved_model.pb" in done.err
    assert five.split()[-2:] == ["0.875", "0.800"]
    assert four.split()[-3:] == ["0.800", "stable", "serves"]
    assert three.startswith("  3")
    assert "wait to be promoted" in done.err


def test_list_is_there_for_programs(call, out):
    before = listed(call, out)
    assert (before["follows_newest"], before["config"], before["labels"]) == (True, None, {})
    serving = {entry["version"]: entry["serves"] for entry in before["versions"]}
    assert serving == {6: False, 5: True, 4: False, 3: False}
    assert before["versions"][0]["missing"] == ["saved_model.pb"]
    assert before["versions"][1]["splits"]["test"]["accuracy"] == 0.875
    assert before["versions"][1]["size"] > 2000
    call("models", "promote", "3", "--label", "canary", "--out", out / "serving" / "prodcls")
    after = listed(call, out)
    assert after["labels"] == {"stable": 5, "canary": 3}
    assert [entry["version"] for entry in after["versions"] if entry["served"]] == [5, 3]


def test_rollback_serves_the_version_before_and_promote_latest_the_newest(call, out):
    done = call("models", "rollback", "--out", out)
    assert (done.code, "version 4 serves as stable" in done.out) == (0, True)
    assert listed(call, out)["labels"] == {"stable": 4}
    done = call("models", "promote", "latest", "--out", out)
    assert "each newer one as soon as it is pushed" in done.out
    assert listed(call, out)["follows_newest"]


def test_newer_canary_is_told_to_take_requests_without_a_label(call, out):
    call("models", "promote", "4", "--out", out)
    done = call("models", "promote", "5", "--label", "canary", "--out", out)
    assert "requests without a label get version 5" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("promote", "9"), "Received 9; there are: 5, 4, 3."),
        (("promote", "6"), "which lacks saved_model.pb"),
        (("promote", "new"), "is a whole number, or latest"),
        (("promote", "4", "--label", "a b"), "A label consists of letters"),
        (("promote", "latest", "--label", "canary"), "A label names one version"),
        (("rollback", "--to", "5"), "prodcls models promote 5"),
    ],
)
def test_bad_call_is_one_clear_message(call, out, arguments, message):
    done = call("models", *arguments, "--out", out)
    assert done.code == 2
    assert message in " ".join(done.err.split())
    assert not config_file(out / "serving" / "prodcls").exists()


def test_nothing_to_roll_back_to_is_told(call, out):
    for number in ("3", "4"):
        shutil.rmtree(out / "serving" / "prodcls" / number)
    done = call("models", "rollback", "--out", out)
    assert done.code == 2
    assert "needs an older complete version" in done.err


def test_folder_without_versions_and_a_version_s_folder_are_told(call, out, tmp_path):
    assert "must hold saved_model.pb, or versions" in call("models", "list", "--out", tmp_path).err
    version = out / "serving" / "prodcls" / "4"
    assert "must be one of versions" in call("models", "list", "--out", version).err


def test_versions_are_listed_and_rolled_back_without_tensorflow(out, fresh_python):
    loaded = fresh_python(
        "import sys; from prodcls_tf.cli import main;"
        f"main(['models', 'list', '--out', {str(out)!r}, '--debug']);"
        f"main(['models', 'rollback', '--out', {str(out)!r}, '--debug']);"
        "print('LOADED', *({'tensorflow', 'tfx', 'numpy', 'ml_metadata'} & set(sys.modules)))"
    )
    assert loaded.splitlines()[-1] == "LOADED"


@pytest.fixture(scope="module")
def served_out(tmp_path_factory):
    """The output folder of a run with two versions that answer."""
    out = tmp_path_factory.mktemp("runs") / "mine"
    for number in (3, 4):
        save_tiny_model(out / "serving" / "prodcls" / str(number))
    return out


def until_answers(client, version, **more):
    deadline = time.monotonic() + 30
    while client.predict("pan", **more).model_spec.version.value != version:
        assert time.monotonic() < deadline, f"version {version} never answered"
        time.sleep(0.05)


def test_running_server_follows_promotion_and_rollback(call, served_out):
    serve = ("serve", "--engine", "embedded", "--model", served_out, "--port", 0)
    with Process(*serve, program=CLI) as process:
        address = process.until_says("  gRPC ").split()[1]
        process.until_says("Ctrl-C ends it")
        with asking(int(address.rpartition(":")[2])) as client:
            assert client.predict("pan").model_spec.version.value == 4
            assert call("models", "rollback", "--out", served_out).code == 0
            until_answers(client, 3)
            assert call("models", "promote", "4", "--out", served_out).code == 0
            until_answers(client, 4)
            assert call("models", "promote", "latest", "--out", served_out).code == 0
            call("models", "rollback", "--out", served_out)
            until_answers(client, 3)


def test_server_that_is_given_the_file_follows_it_too(call, served_out):
    call("models", "promote", "4", "--out", served_out)
    base = served_out / "serving" / "prodcls"
    flags = {"model_config_file": str(config_file(base)), "model_base_path": ""}
    with (
        running(base, **flags, model_config_file_poll_wait_seconds=0.1) as server,
        asking(server.port) as client,
    ):
        assert client.predict("pan").model_spec.version.value == 4
        call("models", "rollback", "--out", served_out)
        until_answers(client, 3)
        with server.registry.acquire("prodcls", label="stable") as servable:
            assert servable.id.version == 3


def test_classify_asks_the_version_that_serves(call, served_out):
    from serving.versions import find_version

    call("models", "promote", "3", "--out", served_out)
    assert find_version(served_out).name == "3"
    call("models", "promote", "latest", "--out", served_out)
    assert find_version(served_out).name == "4"
