"""What the registry makes of folders that are incomplete, deleted, foreign or unsafe."""

from __future__ import annotations

import shutil
import time

import pytest

from prodcls_tf.manifest import write_manifest
from serving.server.config import ModelConfig, Policy
from serving.server.registry import State
from serving.server.status import Code
from tests.serving.server.shop_of_versions import (
    Loader,
    Readers,
    push,
    served,
    serving,
    states,
    until,
)

LATEST = Policy()


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def base(tmp_path):
    push(tmp_path / "shoes", 1)
    return tmp_path / "shoes"


def shoes(base, policy=LATEST) -> ModelConfig:
    return ModelConfig("shoes", str(base), policy)


def errors(caplog) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]


def test_copy_under_way_is_waited_for_without_an_alarm(base, loader, caplog, tmp_path):
    whole = push(tmp_path / "elsewhere", 2)
    with serving(shoes(base), loader=loader, settle_seconds=30) as registry:
        for name in ("assets.extra/manifest.json", "saved_model.pb", "variables/variables.index"):
            (base / "2" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(whole / name, base / "2" / name)
            until(lambda: states(registry).get(2) == State.START)
            time.sleep(0.2)
            assert states(registry)[2] == State.START and served(registry) == 1
        data = "variables/variables.data-00000-of-00001"
        (base / "2" / data).write_text("data" * 4)
        time.sleep(0.2)
        shutil.copy(whole / data, base / "2" / data)
        until(lambda: served(registry) == 2)
    assert errors(caplog) == []
    assert loader.tried == [1, 2]


@pytest.mark.parametrize(
    "lost",
    ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
)
def test_version_that_stays_incomplete_is_given_up_and_the_next_one_serves(base, loader, lost):
    with serving(shoes(base), loader=loader) as registry, Readers(registry) as readers:
        version = push(base, 2, "a graph")
        until(lambda: served(registry) == 2)
        shutil.copytree(version, base / ".tmp-3")
        (base / ".tmp-3" / lost).unlink()
        (base / ".tmp-3").rename(base / "3")
        until(lambda: states(registry).get(3) == State.END)
        (status,) = registry.statuses("shoes", 3)
        assert lost in status.error.message
        assert served(registry) == 2
        push(base, 4)
        until(lambda: served(registry) == 4, seconds=10)
    assert readers.failures == []
    assert 3 not in loader.tried


def test_truncated_file_is_incomplete(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        version = push(base / "..", 2)
        data = version / "variables/variables.data-00000-of-00001"
        data.write_bytes(data.read_bytes()[:5])
        version.rename(base / "2")
        until(lambda: states(registry).get(2) == State.END)
        assert served(registry) == 1
        write_manifest(base / "2")
        until(lambda: served(registry) == 2)


def test_file_of_the_right_size_with_other_content_is_refused(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        version = push(base / "..", 2, "good")
        (version / "saved_model.pb").write_text("evil")
        version.rename(base / "2")
        until(lambda: states(registry).get(2) == State.END)
        (status,) = registry.statuses("shoes", 2)
        assert status.error.code == Code.DATA_LOSS and "saved_model.pb" in status.error.message
        assert loader.tried == [1]


def test_half_a_manifest_is_an_incomplete_version(base, loader):
    with serving(shoes(base), loader=loader, settle_seconds=30) as registry:
        version = push(base / "..", 2)
        manifest = version / "assets.extra/manifest.json"
        whole = manifest.read_bytes()
        manifest.write_bytes(whole[:40])
        version.rename(base / "2")
        until(lambda: states(registry).get(2) == State.START)
        (base / "2/assets.extra/manifest.json").write_bytes(whole)
        until(lambda: served(registry) == 2)


def test_version_without_a_manifest_is_loaded_with_one_warning(base, loader, caplog):
    with serving(shoes(base), loader=loader) as registry:
        push(base, 2, manifest=False)
        until(lambda: served(registry) == 2)
        time.sleep(0.3)
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert len(warnings) == 1 and "manifest" in warnings[0]


def test_version_without_a_manifest_is_not_loaded_while_it_changes(base, loader):
    with serving(shoes(base), loader=loader, poll_seconds=1, settle_seconds=5) as registry:
        version = push(base, 2, manifest=False)
        for _ in range(30):
            with (version / "saved_model.pb").open("a") as file:
                file.write(".")
            time.sleep(0.05)
        assert loader.tried == [1]
        until(lambda: served(registry) == 2)
        assert loader.of(2).text == "good" + 30 * "."


def test_link_out_of_the_version_s_folder_is_refused(base, loader, tmp_path):
    (tmp_path / "secret").write_text("good")
    with serving(shoes(base), loader=loader) as registry:
        version = push(base / "..", 2, manifest=False)
        (version / "saved_model.pb").unlink()
        (version / "saved_model.pb").symlink_to(tmp_path / "secret")
        version.rename(base / "2")
        until(lambda: states(registry).get(2) == State.END)
        (status,) = registry.statuses("shoes", 2)
        assert status.error.code == Code.PERMISSION_DENIED and "link" in status.error.message
        assert loader.tried == [1]


def test_deleted_version_serves_on_and_is_complained_of_once(base, loader, caplog):
    with serving(shoes(base), loader=loader) as registry, Readers(registry) as readers:
        shutil.rmtree(base / "1")
        until(lambda: errors(caplog))
        time.sleep(0.4)
        assert served(registry) == 1
        push(base, 2)
        until(lambda: served(registry) == 2)
    assert readers.failures == []
    assert len(errors(caplog)) == 1 and "version 1 of model shoes" in errors(caplog)[0]


def test_when_the_newest_is_deleted_the_one_before_takes_its_place(base, loader):
    push(base, 2)
    with serving(shoes(base), loader=loader) as registry, Readers(registry) as readers:
        shutil.rmtree(base / "2")
        until(lambda: served(registry) == 1)
    assert readers.failures == []


def test_base_folder_that_vanishes_leaves_all_as_it_is(base, loader, caplog):
    with serving(shoes(base), loader=loader) as registry, Readers(registry) as readers:
        base.rename(base.with_name("away"))
        until(lambda: errors(caplog))
        time.sleep(0.4)
        assert served(registry) == 1
        base.with_name("away").rename(base)
        push(base, 2)
        until(lambda: served(registry) == 2)
    assert readers.failures == []
    assert len(errors(caplog)) == 1 and "Could not find base path" in errors(caplog)[0]


def test_base_folder_may_come_later_and_may_be_a_link(tmp_path, loader):
    with serving(shoes(tmp_path / "link"), loader=loader) as registry:
        assert registry.unavailable() == ["shoes"]
        push(tmp_path / "real", 1)
        (tmp_path / "link").symlink_to(tmp_path / "real")
        assert registry.wait_until_ready(20)
        assert served(registry) == 1


def test_deleted_version_that_a_policy_names_serves_on(base, loader):
    push(base, 2)
    policy = Policy("specific", versions=frozenset({1, 2}))
    with serving(shoes(base, policy), loader=loader) as registry:
        shutil.rmtree(base / "2")
        time.sleep(0.4)
        assert set(states(registry).values()) == {State.AVAILABLE}


def test_missing_version_that_a_policy_names_is_complained_of(base, loader, caplog):
    policy = Policy("specific", versions=frozenset({1, 7}))
    with serving(shoes(base, policy), loader=loader) as registry:
        assert served(registry) == 1
    assert len(errors(caplog)) == 1 and "Version 7 of model shoes" in errors(caplog)[0]


def test_staging_folders_and_other_names_are_no_versions(base, loader):
    for name in (".tmp-2", "3.bak", "٤", "007", "-5", str(2**63)):
        shutil.copytree(base / "1", base / name)
    with serving(shoes(base, Policy("all")), loader=loader) as registry:
        assert states(registry) == {1: State.AVAILABLE}
