"""Pushes on a disk; rows 4 to 6 of the fault table."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prodcls_tf.errors import ModelError, OutputError
from prodcls_tf.manifest import MANIFEST, STAGING, Manifest
from prodcls_tf.release.moves import promote, roll_back
from prodcls_tf.release.order import Order, config_file, write_order
from prodcls_tf.release.pushing import clean, find_pushed, held, push
from prodcls_tf.release.versions import HIGHEST
from tests.conftest import ROOT
from tests.disks import AS_ROOT, small_disk

from .small_model import check_all, export, leftovers, versions


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return export(tmp_path / "model")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "prodcls"


def at(seconds: float):
    return lambda: seconds


def test_version_is_a_whole_copy_named_by_the_second(model: Path, base: Path) -> None:
    version = push(model, base, clock=at(1700000000.9))
    assert version == base / "1700000000"
    assert Manifest.read(version) == Manifest.read(model)
    check_all(base)
    assert leftovers(base) == []


def test_two_pushes_in_a_second_are_two_rising_versions(model: Path, base: Path) -> None:
    pushed = [push(model, base, clock=at(1700000000.0 + part)) for part in (0.1, 0.2, 0.9)]
    assert [int(version.name) for version in pushed] == [1700000000, 1700000001, 1700000002]


def test_versions_rise_when_the_clock_is_an_hour_back(model: Path, base: Path) -> None:
    first = push(model, base, clock=at(1700000000))
    second = push(model, base, clock=at(1700000000 - 3600))
    assert int(second.name) == int(first.name) + 1


def test_versions_rise_above_one_that_was_deleted(model: Path, base: Path) -> None:
    first = push(model, base, clock=at(1700000000))
    shutil.rmtree(first)
    second = push(model, base, clock=at(1700000000 - 3600))
    assert int(second.name) == int(first.name) + 1


@pytest.mark.parametrize("content", [b"", b"17\xff", b"-8", b"1e9"])
def test_highest_number_that_cannot_be_read_counts_for_none(
    model: Path, base: Path, content: bytes
) -> None:
    base.mkdir(parents=True)
    (base / HIGHEST).write_bytes(content)
    assert push(model, base, clock=at(7)).name == "7"


@pytest.mark.parametrize("name", ["1800000000", "001800000000"])
def test_anything_that_a_server_takes_for_a_version_counts(
    model: Path, base: Path, name: str
) -> None:
    (base / name).mkdir(parents=True)
    assert push(model, base, clock=at(1700000000)).name == "1800000001"


def test_names_that_are_no_versions_do_not_count(model: Path, base: Path) -> None:
    for name in ("notes", "²", "9" * 30, ".tmp-8", "-5"):
        (base / name).mkdir(parents=True)
    assert push(model, base, clock=at(7)).name == "7"


def test_pushes_at_once_wait_for_each_other(model: Path, base: Path) -> None:
    threads = [threading.Thread(target=push, args=(model, base)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(versions(base)) == 4
    check_all(base)


# Row 4.
_CHILD = """
import sys
from pathlib import Path
from prodcls_tf.release.pushing import push

print(flush=True)
sys.stdin.readline()
push(Path(sys.argv[1]), Path(sys.argv[2]), keep=1)
"""


@contextlib.contextmanager
def pushing(model: Path, base: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is about to push."""
    command = [sys.executable, "-c", _CHILD, str(model), str(base)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.stdin.close()


def test_push_killed_at_twenty_points_leaves_only_whole_versions(
    tmp_path: Path, base: Path
) -> None:
    # Some megabytes, so that a push takes long enough to be met in each of its parts.
    model = export(tmp_path / "model", size=6_000_000)
    for part in range(40):
        (model / "assets.extra" / f"part-{part}").write_bytes(b"p" * 20_000)
    (model / MANIFEST).unlink()
    from prodcls_tf.manifest import write_manifest

    write_manifest(model)
    push(model, base)
    started = time.monotonic()
    push(model, base)
    whole = time.monotonic() - started
    chance = random.Random(4)
    halves, before = 0, versions(base)
    for point in range(20):
        with pushing(model, base) as process:
            process.stdin.write(b"\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            time.sleep(whole * (point + chance.random()) / 20)
            process.send_signal(signal.SIGKILL)
        check_all(base)
        assert versions(base)[-1] >= before[-1]
        halves += bool(leftovers(base))
        before = versions(base)
    assert halves >= 5, "few kills met a push at work"
    newest = push(model, base, keep=1)
    assert int(newest.name) > before[-1]
    assert len(versions(base)) == 2
    assert leftovers(base) == []


def test_next_push_sweeps_what_killed_ones_left(model: Path, base: Path) -> None:
    for name in (f"{STAGING}1700000000", f"{STAGING}gone-5"):
        shutil.copytree(model, base / name)
    (base / ".tmp-1").mkdir()
    push(model, base)
    assert leftovers(base) == [".tmp-1"], "what another program stages is its own"


def test_push_that_was_killed_after_its_rename_is_found(model: Path, base: Path) -> None:
    version = push(model, base)
    assert find_pushed(model, base) == version
    assert find_pushed(export(base.parent / "other", "other"), base) is None


def test_damaged_or_older_version_is_no_push_that_stands(model: Path, base: Path) -> None:
    version = push(model, base)
    push(export(base.parent / "other", "other"), base)
    assert find_pushed(model, base) is None
    promote(base, int(version.name))
    assert find_pushed(model, base) == version
    (version / "saved_model.pb").write_text("graph gold")
    assert find_pushed(model, base) is None


# Row 5.
@AS_ROOT
def test_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    small = export(tmp_path / "small", size=400_000)
    large = export(tmp_path / "large", "better", size=700_000)
    with small_disk(tmp_path / "disk") as disk:
        base = disk / "serving" / "prodcls"
        version = push(small, base)
        with pytest.raises(OutputError, match=r"No space left.*serves on\. Free some space"):
            push(large, base)
        assert (versions(base), leftovers(base)) == ([int(version.name)], [])
        check_all(base)
        shutil.rmtree(version)
        push(large, base)
        check_all(base)


@AS_ROOT
def test_full_disk_leaves_the_order_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        base = disk / "prodcls"
        version = push(export(tmp_path / "model"), base)
        promote(base, int(version.name))
        before = config_file(base).read_bytes()
        with (disk / "full").open("wb") as file, contextlib.suppress(OSError):
            file.write(b"x" * 2_000_000)
        with pytest.raises(OutputError, match="can be written"):
            promote(base, int(version.name), "canary")
        assert config_file(base).read_bytes() == before
        assert not list(disk.glob(".tmp-*"))


@AS_ROOT
def test_read_only_folder_is_a_clear_error(tmp_path: Path) -> None:
    model = export(tmp_path / "model")
    with (
        small_disk(tmp_path / "disk", "ro") as disk,
        pytest.raises(OutputError, match=r"Read-only file system.*check the\s+permissions"),
    ):
        push(model, disk / "prodcls")


def test_file_in_the_folder_s_place_is_a_clear_error(model: Path, tmp_path: Path) -> None:
    (tmp_path / "serving").touch()
    with pytest.raises(OutputError, match="needs a folder that can be written"):
        push(model, tmp_path / "serving" / "prodcls")


# What is pushed.
def test_model_without_a_manifest_gets_one(model: Path, base: Path) -> None:
    (model / MANIFEST).unlink()
    push(model, base)
    check_all(base)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda model: (model / "saved_model.pb").unlink(), r"saved_model\.pb is missing"),
        (lambda model: (model / "saved_model.pb").write_text("graph gold"), "is not as its"),
        (lambda model: (model / "variables" / "variables.index").unlink(), "index is missing"),
        (lambda model: (model / "variables" / "old").touch(), "does not name variables/old"),
        (lambda model: (model / MANIFEST).write_text("{"), "A manifest must be one"),
    ],
    ids=["no graph", "another graph", "no index", "foreign file", "half a manifest"],
)
def test_model_that_is_not_whole_is_not_pushed(model: Path, base: Path, harm, message) -> None:
    harm(model)
    with pytest.raises(ModelError, match=message):
        push(model, base)
    assert list(base.iterdir()) == []


# What is kept.
def test_older_versions_are_kept_so_deep(model: Path, base: Path) -> None:
    for second in range(1, 7):
        push(model, base, keep=2, clock=at(second))
    assert versions(base) == [4, 5, 6]
    assert leftovers(base) == []


def test_rolled_back_and_labelled_versions_outlive_pushes(model: Path, base: Path) -> None:
    for second in (1, 2, 3):
        push(model, base, clock=at(second))
    promote(base, 1, "canary")
    roll_back(base, 2)
    for second in range(4, 9):
        push(model, base, keep=1, clock=at(second))
    assert versions(base) == [1, 2, 7, 8]


def test_policy_that_serves_several_newest_keeps_them(model: Path, base: Path) -> None:
    base.mkdir(parents=True)
    write_order(base, Order(newest=3))
    for second in range(1, 6):
        push(model, base, keep=1, clock=at(second))
    assert versions(base) == [3, 4, 5]


def test_nothing_is_removed_where_the_order_cannot_be_read(
    model: Path, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base.mkdir(parents=True)
    config_file(base).write_text("model_config_list {")
    for second in (1, 2, 3):
        push(model, base, keep=1, clock=at(second))
    assert versions(base) == [1, 2, 3]
    assert "were left there" in caplog.text


def test_half_a_version_counts_for_none_that_is_kept(model: Path, base: Path) -> None:
    for second in (1, 2, 3):
        push(model, base, clock=at(second))
    (base / "3" / "saved_model.pb").unlink()
    push(model, base, keep=1, clock=at(4))
    assert versions(base) == [2, 3, 4]


def test_another_depth_holds_without_a_push(model: Path, base: Path) -> None:
    for second in (1, 2, 3):
        push(model, base, clock=at(second))
    clean(base, keep=1)
    assert versions(base) == [2, 3]


def test_lock_goes_with_its_holder(model: Path, base: Path) -> None:
    base.mkdir(parents=True)
    with held(base), pushing(model, base) as process:
        process.stdin.write(b"\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        time.sleep(0.3)
        assert process.poll() is None
        assert versions(base) == []
        process.kill()
    push(model, base)
    assert len(versions(base)) == 1
