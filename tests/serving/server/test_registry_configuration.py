"""New configurations of a running registry: models, policies, labels."""

from __future__ import annotations

import threading

import pytest

from serving.server.config import ModelConfig, Policy
from serving.server.registry import State
from serving.server.status import Code, ServingError
from tests.serving.server.shop_of_versions import (
    CORRUPT,
    Loader,
    Readers,
    push,
    served,
    serving,
    states,
    until,
)

LATEST, ALL = Policy(), Policy("all")


def only(*versions: int) -> Policy:
    return Policy("specific", versions=frozenset(versions))


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def base(tmp_path):
    push(tmp_path / "shoes", 1)
    push(tmp_path / "shoes", 2)
    return tmp_path / "shoes"


def shoes(base, policy=LATEST, **labels) -> ModelConfig:
    return ModelConfig("shoes", str(base), policy, labels)


def refusal(registry, *models, **options) -> ServingError:
    with pytest.raises(ServingError) as caught:
        registry.configure(models, timeout=20, **options)
    return caught.value


def test_rollback_by_a_specific_policy_loses_no_request(base, loader):
    with serving(shoes(base, only(2)), loader=loader) as registry, Readers(registry) as readers:
        for number in (1, 2, 1):
            registry.configure([shoes(base, only(number))], timeout=20)
            assert served(registry) == number
        until(lambda: all(seen[-1] == 1 for seen in readers.seen))
    assert readers.failures == []


def test_rollback_by_a_label_loses_no_request(base, loader):
    with serving(shoes(base, ALL, stable=2), loader=loader) as registry:
        with Readers(registry, label="stable") as readers:
            registry.configure([shoes(base, ALL, stable=1)], timeout=20)
            assert served(registry, label="stable") == 1
            until(lambda: all(seen[-1] == 1 for seen in readers.seen))
        assert readers.failures == []
        assert {tuple(seen) for seen in readers.seen} == {(2, 1)}


def test_new_list_replaces_the_old_one(base, loader, tmp_path):
    push(tmp_path / "hats", 5)
    with serving(shoes(base), loader=loader) as registry:
        registry.configure([ModelConfig("hats", str(tmp_path / "hats"))], timeout=20)
        assert served(registry, "hats") == 5
        with pytest.raises(ServingError, match=r"Latest\(shoes\)"):
            served(registry)
        until(lambda: states(registry) == {2: State.END})
        assert registry.ready()


def test_model_that_was_taken_out_can_come_back(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        with registry.acquire("shoes") as held:
            registry.configure([], timeout=20)
            registry.configure([shoes(base)], timeout=20)
            assert served(registry) == 2
            held.read()
        until(lambda: loader.loaded[0].closed)
        assert served(registry) == 2


def test_models_that_were_taken_out_are_remembered_up_to_a_number(tmp_path, loader):
    names = [f"model{number}" for number in range(40)]
    for name in names:
        push(tmp_path / name, 1)
    with serving(loader=loader) as registry:
        for name in names:
            registry.configure([ModelConfig(name, str(tmp_path / name))], timeout=20)
        registry.configure([], timeout=20)
        until(lambda: all(notice.closed for notice in loader.loaded))
        registry.configure([], timeout=20)
        with pytest.raises(ServingError, match="Could not find any versions"):
            registry.statuses(names[0])
        assert states(registry, names[-1]) == {1: State.END}


def test_label_to_a_version_that_is_not_loaded_is_refused_before_anything_changes(base, loader):
    with serving(shoes(base, ALL, stable=1), loader=loader) as registry:
        error = refusal(registry, shoes(base, only(2), stable=1))
        assert error.code == Code.FAILED_PRECONDITION
        assert "Request to assign label to version 1 of model shoes" in error.message
        assert served(registry, label="stable") == 1
        assert states(registry) == {2: State.AVAILABLE, 1: State.AVAILABLE}


def test_label_to_a_version_that_fails_to_load_is_refused_and_labels_stay(base, loader):
    with serving(shoes(base, ALL, stable=2), loader=loader) as registry:
        push(base, 3, CORRUPT)
        error = refusal(registry, shoes(base, ALL, stable=3))
        assert error.code == Code.FAILED_PRECONDITION
        assert served(registry, label="stable") == 2


def test_unused_label_may_name_a_version_to_come_where_that_is_allowed(base, loader):
    with serving(shoes(base, ALL, stable=2), loader=loader) as registry:
        coming = shoes(base, ALL, stable=2, canary=3)
        registry.configure([coming], allow_labels_for_unavailable=True, timeout=20)
        with pytest.raises(ServingError, match=r"Specific\(shoes, 3\)"):
            served(registry, label="canary")
        push(base, 3)
        until(lambda: states(registry).get(3) == State.AVAILABLE)
        assert served(registry, label="canary") == 3
        moved = shoes(base, ALL, stable=9, canary=3)
        assert refusal(registry, moved, allow_labels_for_unavailable=True).code == (
            Code.FAILED_PRECONDITION
        )


def test_label_that_a_new_list_leaves_out_is_gone(base, loader):
    with serving(shoes(base, stable=2), loader=loader) as registry:
        registry.configure([shoes(base)], timeout=20)
        with pytest.raises(ServingError, match="Unrecognized servable version label: stable"):
            served(registry, label="stable")


def test_new_folder_with_other_numbers_takes_over_without_a_gap(base, loader, tmp_path):
    push(tmp_path / "new", 7)
    with serving(shoes(base), loader=loader) as registry, Readers(registry) as readers:
        registry.configure([shoes(tmp_path / "new")], timeout=20)
        assert served(registry) == 7
    assert readers.failures == []


def test_new_folder_with_a_number_that_is_loaded_is_refused(base, loader, tmp_path):
    push(tmp_path / "new", 2)
    with serving(shoes(base), loader=loader) as registry:
        error = refusal(registry, shoes(tmp_path / "new"))
        assert error.code == Code.FAILED_PRECONDITION and "version 2 is loaded" in error.message


def test_name_that_occurs_twice_is_refused(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        assert refusal(registry, shoes(base), shoes(base)).code == Code.INVALID_ARGUMENT


def test_configuration_waits_for_no_longer_than_it_may(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        loader.gate.clear()
        push(base, 3)
        registry.configure([shoes(base)], timeout=0.2)
        assert served(registry) == 2
        loader.gate.set()
        until(lambda: served(registry) == 3)


def test_second_configuration_at_a_time_waits_its_turn(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        loader.gate.clear()
        push(base, 3)
        first = threading.Thread(target=registry.configure, args=([shoes(base)],))
        first.start()
        until(lambda: states(registry).get(3) == State.LOADING)
        with pytest.raises(ServingError) as caught:
            registry.configure([shoes(base)], timeout=0.1)
        assert caught.value.code == Code.ABORTED
        loader.gate.set()
        first.join(20)
        registry.configure([shoes(base, only(1))], timeout=20)
        assert served(registry) == 1
