"""Rows 4 to 6 as clients see them: pushes that are killed or find no room, under load."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from prodcls_tf.errors import OutputError
from prodcls_tf.manifest import write_manifest
from prodcls_tf.release.pushing import push
from tests.disks import AS_ROOT, small_disk
from tests.prodcls_tf.release.test_pushing import pushing
from tests.serving.server.embedded import asking, running, until
from tests.serving.tiny_model import save_tiny_model

CLIENTS, KILLS = 4, 10


class Clients:
    """Ask without a pause, each in a thread of its own.

    Attributes:
      seen: for each the versions that answered it, one after another.
      failures: requests that were not answered.
    """

    def __init__(self) -> None:
        self.seen: list[list[int]] = [[] for _ in range(CLIENTS)]
        self.failures: list[str] = []

    def all_at(self, version: Path) -> bool:
        """Whether each was last answered by this version."""
        return all(seen and seen[-1] == int(version.name) for seen in self.seen)

    @contextlib.contextmanager
    def asking(self, port: int) -> Iterator[None]:
        """They ask within the `with` block."""
        over = threading.Event()
        threads = [
            threading.Thread(target=self._ask, args=(port, seen, over)) for seen in self.seen
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _ask(self, port: int, seen: list[int], over: threading.Event) -> None:
        with asking(port) as client:
            while not over.is_set():
                try:
                    version = client.predict("headphones").model_spec.version.value
                except grpc.RpcError as error:
                    self.failures.append(str(error))
                    continue
                if not seen or seen[-1] != version:
                    seen.append(version)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Of many files, so that a push takes long enough to be met in each of its parts."""
    folder = save_tiny_model(tmp_path / "model")
    for part in range(40):
        (folder / "assets.extra").mkdir(exist_ok=True)
        (folder / "assets.extra" / f"part-{part}").write_bytes(b"p" * 20_000)
    write_manifest(folder)
    return folder


def test_killed_pushes_are_not_felt(model: Path, tmp_path: Path) -> None:
    base, clients, chance = tmp_path / "prodcls", Clients(), random.Random(4)
    first = push(model, base)
    started = time.monotonic()
    push(model, base)
    whole = time.monotonic() - started
    with running(base) as server, clients.asking(server.port):
        for point in range(KILLS):
            with pushing(model, base) as process:
                assert process.stdin is not None
                process.stdin.write(b"\n")
                process.stdin.flush()
                time.sleep(whole * (point + chance.random()) / KILLS)
                process.send_signal(signal.SIGKILL)
        newest = push(model, base)
        until(lambda: clients.all_at(newest), 120)
    assert clients.failures == []
    for seen in clients.seen:
        assert seen == sorted(seen) and seen[0] > int(first.name)


@AS_ROOT
def test_full_disk_is_not_felt(model: Path, tmp_path: Path) -> None:
    clients = Clients()
    with small_disk(tmp_path / "disk", size="4m") as disk:
        base = disk / "prodcls"
        version = push(model, base)
        (model / "assets.extra" / "part-0").write_bytes(b"p" * 5_000_000)
        write_manifest(model)
        with running(base) as server, clients.asking(server.port):
            until(lambda: clients.all_at(version))
            for _ in range(3):
                with pytest.raises(OutputError, match="No space left"):
                    push(model, base)
        assert [entry for entry in base.iterdir() if entry.is_dir()] == [version]
    assert clients.failures == []
    assert clients.seen == [[int(version.name)]] * CLIENTS


def test_pushes_within_a_second_and_after_the_clock_went_back_rise(
    model: Path, tmp_path: Path
) -> None:
    base, clients = tmp_path / "prodcls", Clients()
    first = push(model, base)
    with running(base) as server, clients.asking(server.port):
        until(lambda: clients.all_at(first))
        push(model, base)
        last = push(model, base, clock=lambda: time.time() - 3600)
        until(lambda: clients.all_at(last), 120)
    assert clients.failures == []
    assert all(seen == sorted(set(seen)) for seen in clients.seen)
