"""The registry with real SavedModels under load: rows 1 to 3, 7, 8 and 18 of the fault table."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from prodcls_tf.export.warmup import write_warmup_requests
from prodcls_tf.manifest import write_manifest
from serving.server.background import in_background
from serving.server.batching import DirectRunner
from serving.server.config import ModelConfig, Policy
from serving.server.inference import Inference
from serving.server.registry import State
from serving.server.repository import WARMUP_FILE
from serving.server.servable import Servable
from serving.server.warmup import warm_up
from tests.serving.server.shop_of_versions import serving, states, until
from tests.serving.tiny_model import save_tiny_model

NAME = "prodcls"
TITLES = [b"headphones", b"a pan", b"\xe7\x8c\xab", b"x"]
EXPECTED = [b"Audio > Headphones", b"Home > Cookware", "Pets > Cats > 猫粮".encode()]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model as an export leaves it, without its manifest."""
    folder = save_tiny_model(tmp_path_factory.mktemp("model") / "1")
    write_warmup_requests(folder / WARMUP_FILE, NAME, ["title", "description"], 32)
    return folder


@pytest.fixture
def base(tmp_path, tiny):
    push(tmp_path / NAME, tiny, 1)
    return tmp_path / NAME


def push(base, tiny, number: int, damage=None, *, manifest: bool = True) -> None:
    """Pushes the model at one stroke; damaged after the manifest was written, or without one."""
    staging = base / f".tmp-{number}"
    shutil.copytree(tiny, staging)
    if manifest:
        write_manifest(staging)
    if damage is not None:
        damage(staging)
    staging.rename(base / str(number))


def model(base, policy=None, **labels) -> ModelConfig:
    return ModelConfig(NAME, str(base), policy or Policy(), labels)


def running(*models):
    return serving(*models, loader=Servable.load, warm=warm_up, settle_seconds=0.5)


class Clients:
    """Closed-loop clients with batches of 1 to 4 rows, each of whose answers is checked."""

    def __init__(self, registry, count: int = 8, label: str = "") -> None:
        self._inference = Inference(registry, DirectRunner())
        self._label = label
        self._over = threading.Event()
        self.failures: list[BaseException] = []
        self.seen: list[list[int]] = [[] for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._ask, args=(1 + n % 4, seen))
            for n, seen in enumerate(self.seen)
        ]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        until(lambda: all(self.seen))
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)
        assert self.failures == []

    def _ask(self, rows: int, seen: list[int]) -> None:
        request = PredictRequest()
        request.model_spec.name = NAME
        if self._label:
            request.model_spec.version_label = self._label
        request.inputs["title"].CopyFrom(tf.make_tensor_proto(TITLES[:rows]))
        request.inputs["description"].CopyFrom(tf.make_tensor_proto([b""] * rows))
        while not self._over.is_set() and not self.failures:
            try:
                answer = self._inference.predict(request)
                best = answer.outputs["categories"].string_val[::3]
                assert list(best[:3]) == EXPECTED[:rows], best
            except BaseException as error:
                self.failures.append(error)
                return
            version = answer.model_spec.version.value
            if not seen or seen[-1] != version:
                seen.append(version)


def truncate(name: str, keep: int):
    def damage(folder) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:keep])

    return damage


def remove(name: str):
    return lambda folder: (folder / name).unlink()


def test_hot_swaps_lose_no_request_and_versions_only_rise(base, tiny):
    with running(model(base)) as registry, Clients(registry) as clients:
        for number in range(2, 12):
            push(base, tiny, number)
            until(lambda n=number: states(registry, NAME).get(n) == State.AVAILABLE, 60)
        until(lambda: all(seen[-1] == 11 for seen in clients.seen))
        assert all(seen == sorted(seen) for seen in clients.seen)
        until(lambda: State.UNLOADING not in states(registry, NAME).values())


def niceness(thread: int) -> int | None:
    """A thread's priority, None for one that is gone."""
    try:
        return os.getpriority(os.PRIO_PROCESS, thread)
    except ProcessLookupError:
        return None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_a_version_is_loaded_behind_the_requests_that_another_one_answers(base, tiny):
    usual, found = niceness(threading.get_native_id()), []

    def warm(servable: Servable) -> None:
        found.append(in_background(lambda: niceness(threading.get_native_id())))
        warm_up(servable)

    with serving(model(base), loader=Servable.load, warm=warm) as registry:
        push(base, tiny, 2)
        until(lambda: states(registry, NAME).get(2) == State.AVAILABLE, 60)
        first, second = found
        assert first == usual < second
        # None that goes on has it: TensorFlow's pools were there before.
        threads = [int(thread.name) for thread in Path("/proc/self/task").iterdir()]
        until(lambda: {niceness(thread) for thread in threads} <= {usual, None})


DATA = "variables/variables.data-00000-of-00001"


@pytest.mark.parametrize("manifest", [True, False], ids=["manifest", "foreign"])
@pytest.mark.parametrize(
    "damage",
    [
        truncate("saved_model.pb", 1000),
        remove("saved_model.pb"),
        remove("variables/variables.index"),
        truncate(DATA, 9),
        remove(DATA),
    ],
    ids=["corrupt pb", "no pb", "no index", "truncated data", "no data"],
)
def test_damaged_newest_version_is_refused_while_the_old_one_serves(base, tiny, damage, manifest):
    with running(model(base)) as registry, Clients(registry, 4) as clients:
        push(base, tiny, 2, damage, manifest=manifest)
        until(lambda: states(registry, NAME).get(2) == State.END)
        assert registry.statuses(NAME, 2)[0].error is not None
        push(base, tiny, 3, manifest=manifest)
        until(lambda: states(registry, NAME).get(3) == State.AVAILABLE, 10)
        until(lambda: all(seen[-1] == 3 for seen in clients.seen))
        assert {tuple(seen) for seen in clients.seen} == {(1, 3)}


def test_deleted_version_and_vanished_folder_leave_it_serving(base, tiny):
    with running(model(base)) as registry, Clients(registry) as clients:
        shutil.rmtree(base / "1")
        until(lambda: not (base / "1").exists())
        shutil.rmtree(base)
        push(base.with_name("new"), tiny, 2)
        assert {tuple(seen) for seen in clients.seen} == {(1,)}
        base.with_name("new").rename(base)
        until(lambda: all(seen == [1, 2] for seen in clients.seen))


def test_rollback_by_policy_loses_no_request(base, tiny):
    push(base, tiny, 2)
    with running(model(base)) as registry, Clients(registry) as clients:
        registry.configure([model(base, Policy("specific", versions=frozenset({1})))], timeout=60)
        until(lambda: all(seen == [2, 1] for seen in clients.seen))


def test_rollback_by_label_loses_no_request(base, tiny):
    push(base, tiny, 2)
    every = Policy("all")
    labelled = [model(base, every, stable=version) for version in (1, 2)]
    with running(labelled[1]) as registry, Clients(registry, label="stable") as clients:
        registry.configure([labelled[0]], timeout=60)
        until(lambda: all(seen == [2, 1] for seen in clients.seen))


@pytest.mark.parametrize("records", ["corrupt", "too many"])
def test_version_with_bad_warm_up_requests_is_refused(base, tiny, records):
    def damage(folder) -> None:
        path = folder / WARMUP_FILE
        content = path.read_bytes()
        with tf.io.TFRecordWriter(str(path)) as writer:
            for _ in range(1001):
                writer.write(b"")
        if records == "corrupt":
            path.write_bytes(content[:-9])
        write_manifest(folder)

    with running(model(base)) as registry, Clients(registry, 2) as clients:
        push(base, tiny, 2, damage)
        until(lambda: states(registry, NAME).get(2) == State.END)
        told = registry.statuses(NAME, 2)[0].error.message
        assert ("TFRecord" if records == "corrupt" else "exceeds the maximum (1000)") in told
        assert {tuple(seen) for seen in clients.seen} == {(1,)}
