"""Versions on disk that need no TensorFlow, a registry that serves them, and bounded waits."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prodcls_tf.manifest import write_manifest
from serving.server.config import ModelConfig
from serving.server.registry import Registry, State
from serving.server.servable import ServableId
from serving.server.status import Code, ServingError

CORRUPT = "corrupt"


class Notice:
    """A loaded version that can only be read: what stands in its graph's file."""

    def __init__(self, servable_id: ServableId, folder: Path) -> None:
        self.id, self.folder = servable_id, folder
        self.text = (folder / "saved_model.pb").read_text(encoding="utf-8")
        if self.text == CORRUPT:
            raise ServingError(Code.DATA_LOSS, "this graph cannot be read")
        self.closed = False

    def read(self) -> str:
        if self.closed:
            raise AssertionError(f"{self.id} is read after it was closed")
        return self.text

    def close(self) -> None:
        self.closed = True


class Loader:
    """Loads Notices, and remembers which."""

    def __init__(self) -> None:
        self.loaded: list[Notice] = []
        self.tried: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, servable_id: ServableId, folder: Path) -> Notice:
        self.tried.append(servable_id.version)
        assert self.gate.wait(30)
        self.loaded.append(Notice(servable_id, folder))
        return self.loaded[-1]

    def of(self, version: int) -> Notice:
        return next(notice for notice in self.loaded if notice.id.version == version)


def push(base: Path, number: int, text: str = "good", *, manifest: bool = True) -> Path:
    """Puts a version into a model's folder at one stroke, as a push does."""
    staging = base / f".tmp-{number}"
    (staging / "variables").mkdir(parents=True)
    (staging / "saved_model.pb").write_text(text, encoding="utf-8")
    (staging / "variables" / "variables.index").write_text("index", encoding="utf-8")
    (staging / "variables" / "variables.data-00000-of-00001").write_text("data" * 9)
    if manifest:
        write_manifest(staging)
    version = base / str(number)
    shutil.rmtree(version, ignore_errors=True)
    return staging.rename(version)


@contextlib.contextmanager
def serving(*models: ModelConfig, loader: Callable, **options: object) -> Iterator[Registry]:
    """A running registry that looks at its folders twenty times a second."""
    given = {"poll_seconds": 0.05, "settle_seconds": 0.4, "drain_seconds": 5.0, **options}
    registry = Registry(loader, **given)
    registry.start()
    try:
        registry.configure(models, timeout=20)
        yield registry
    finally:
        registry.stop()


def until(happened: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits until something has happened, but not for ever."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def states(registry: Registry, name: str = "shoes") -> dict[int, State]:
    return {status.version: status.state for status in registry.statuses(name)}


def served(registry: Registry, name: str = "shoes", **which: object) -> int:
    """The version that a request gets."""
    with registry.acquire(name, **which) as servable:
        servable.read()
        return servable.id.version


class Readers:
    """Threads that ask without a pause, and note which version answered."""

    def __init__(self, registry: Registry, count: int = 8, **which: object) -> None:
        self._registry, self._which = registry, which
        self._over = threading.Event()
        self.failures: list[BaseException] = []
        self.seen: list[list[int]] = [[] for _ in range(count)]
        self._threads = [threading.Thread(target=self._ask, args=(seen,)) for seen in self.seen]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        until(lambda: all(self.seen))
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(20)

    def _ask(self, seen: list[int]) -> None:
        while not self._over.is_set() and not self.failures:
            try:
                with self._registry.acquire("shoes", **self._which) as servable:
                    servable.read()
                    time.sleep(0.001)
                    servable.read()
                    version = servable.id.version
            except BaseException as error:
                self.failures.append(error)
                return
            if not seen or seen[-1] != version:
                seen.append(version)
