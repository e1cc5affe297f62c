"""The registry over versions that need no TensorFlow."""

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

LATEST = Policy()


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def base(tmp_path):
    push(tmp_path / "shoes", 1)
    return tmp_path / "shoes"


def shoes(base, policy=LATEST, **labels) -> ModelConfig:
    return ModelConfig("shoes", str(base), policy, labels)


def test_newest_version_answers_a_request_that_names_none(base, loader):
    push(base, 10)
    push(base, 9)
    with serving(shoes(base), loader=loader) as registry:
        assert registry.ready()
        assert served(registry) == 10
        assert loader.tried == [10]


def test_policies_choose_versions(base, loader):
    for number in (2, 3, 4):
        push(base, number)
    for policy, expected in (
        (Policy("latest", count=2), {4, 3}),
        (Policy("all"), {4, 3, 2, 1}),
        (Policy("specific", versions=frozenset({1, 3})), {3, 1}),
    ):
        with serving(shoes(base, policy), loader=loader) as registry:
            assert set(states(registry)) == expected
            assert set(states(registry).values()) == {State.AVAILABLE}
            assert served(registry, version=min(expected)) == min(expected)


def test_no_request_is_lost_while_versions_are_swapped(base, loader):
    with serving(shoes(base), loader=loader) as registry, Readers(registry) as readers:
        for number in range(2, 22):
            push(base, number)
            until(lambda n=number: states(registry).get(n) == State.AVAILABLE)
        until(lambda: all(seen[-1] == 21 for seen in readers.seen))
    assert readers.failures == []
    assert all(seen == sorted(seen) for seen in readers.seen)
    assert all(notice.closed for notice in loader.loaded)


def test_old_version_is_closed_only_when_its_last_request_is_done(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        with registry.acquire("shoes") as held:
            push(base, 2)
            until(lambda: served(registry) == 2)
            until(lambda: states(registry)[1] == State.UNLOADING)
            assert held.read() == "good"
            with pytest.raises(ServingError, match=r"Servable not found for request: Specific"):
                served(registry, version=1)
        until(lambda: states(registry)[1] == State.END)
        assert loader.of(1).closed


def test_version_that_drains_can_be_loaded_anew(base, loader):
    push(base, 2)
    only = [shoes(base, Policy("specific", versions=frozenset({n}))) for n in (1, 2)]
    with serving(only[1], loader=loader) as registry, registry.acquire("shoes") as held:
        registry.configure([only[0]], timeout=20)
        registry.configure([only[1]], timeout=20)
        with registry.acquire("shoes") as again:
            assert again is not held and again.id == held.id
            assert again.read() == held.read()


def test_held_version_is_complained_of_once(base, loader, caplog):
    with serving(shoes(base), loader=loader, drain_seconds=0.1) as registry:
        with registry.acquire("shoes"):
            push(base, 2)
            until(lambda: "1 requests still hold version 1" in caplog.text)
        until(lambda: states(registry)[1] == State.END)
    assert caplog.text.count("still hold") == 1


def test_corrupt_newest_version_ends_with_its_error_while_the_old_one_serves(base, loader):
    with serving(shoes(base), loader=loader) as registry, Readers(registry) as readers:
        push(base, 2, CORRUPT)
        until(lambda: states(registry).get(2) == State.END)
        (status,) = registry.statuses("shoes", 2)
        assert status.error.code == Code.DATA_LOSS and "cannot be read" in status.error.message
        assert served(registry) == 1
        push(base, 3)
        until(lambda: served(registry) == 3, seconds=10)
    assert readers.failures == []


def test_bad_version_is_not_tried_again_before_its_folder_changes(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        version = push(base, 2, CORRUPT)
        until(lambda: states(registry).get(2) == State.END)
        push(base, 3)
        until(lambda: served(registry) == 3)
        assert loader.tried.count(2) == 1
        (base / "3").rename(base / "gone")
        push(base, 2)
        until(lambda: served(registry) == 2)
        assert loader.tried.count(2) == 2
        assert version.exists()


def test_older_version_stands_in_when_the_newest_is_bad_from_the_start(base, loader):
    push(base, 2, CORRUPT)
    push(base, 3, CORRUPT)
    with serving(shoes(base), loader=loader) as registry:
        assert served(registry) == 1
        assert states(registry) == {3: State.END, 2: State.END, 1: State.AVAILABLE}


def test_version_that_fails_its_warm_up_is_refused(base, loader):
    def warm(servable):
        if servable.id.version == 2:
            raise ServingError(Code.INVALID_ARGUMENT, "too many records")

    with serving(shoes(base), loader=loader, warm=warm) as registry:
        push(base, 2)
        until(lambda: states(registry).get(2) == State.END)
        assert served(registry) == 1
        assert loader.of(2).closed


def test_any_exception_of_a_load_is_the_version_s_error(base):
    def load(servable_id, folder):
        raise ValueError("a graph of another world")

    with serving(shoes(base), loader=load) as registry:
        (status,) = registry.statuses("shoes")
        assert status.state == State.END and status.error.code == Code.INTERNAL
        assert not registry.ready()
        assert registry.unavailable() == ["shoes"]


def test_requests_for_what_is_not_there_are_told_as_by_tf_serving(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        for asked, code, message in (
            ({"name": "hats"}, Code.NOT_FOUND, "Servable not found for request: Latest(hats)"),
            (
                {"name": "shoes", "version": 3},
                Code.NOT_FOUND,
                "Servable not found for request: Specific(shoes, 3)",
            ),
            (
                {"name": "shoes", "label": "best"},
                Code.INVALID_ARGUMENT,
                "Unrecognized servable version label: best",
            ),
        ):
            with pytest.raises(ServingError) as caught, registry.acquire(**asked):
                pass
            assert (caught.value.code, caught.value.message) == (code, message)


def test_statuses_are_newest_first_and_unknown_ones_are_not_found(base, loader):
    push(base, 2)
    with serving(shoes(base, Policy("all")), loader=loader) as registry:
        assert [status.version for status in registry.statuses("shoes")] == [2, 1]
        for asked in (("hats",), ("shoes", 3)):
            with pytest.raises(ServingError) as caught:
                registry.statuses(*asked)
            assert caught.value.code == Code.NOT_FOUND


def test_ended_versions_are_remembered_up_to_a_number(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        for number in range(2, 30):
            push(base, number)
            until(lambda n=number: served(registry) == n)
        until(lambda: sum(s == State.AVAILABLE for s in states(registry).values()) == 1)
        until(lambda: State.UNLOADING not in states(registry).values())
        assert len(states(registry)) == 17


def test_listeners_hear_of_every_move_in_order(base, loader):
    heard = []
    with serving(
        shoes(base), loader=loader, listeners=[lambda i, s: heard.append((i.version, s.state))]
    ) as registry:
        push(base, 2)
        until(lambda: states(registry)[1] == State.END)
    moves = [State.START, State.LOADING, State.AVAILABLE, State.UNLOADING, State.END]
    assert [state for version, state in heard if version == 1] == moves
    assert [state for version, state in heard if version == 2] == moves


def test_listener_that_fails_harms_nothing(base, loader, caplog):
    def listener(servable_id, status):
        raise ValueError("out of order")

    with serving(shoes(base), loader=loader, listeners=[listener]) as registry:
        assert served(registry) == 1
    assert "A listener of the registry failed" in caplog.text


def test_without_polling_the_folder_is_looked_at_once(base, loader):
    with serving(shoes(base), loader=loader, poll_seconds=0) as registry:
        push(base, 2)
        assert served(registry) == 1
        registry.configure([shoes(base)], timeout=20)
        assert served(registry) == 2


def test_versions_that_come_faster_than_they_load_do_not_pile_up(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        loader.gate.clear()
        for number in (2, 3, 4, 5):
            push(base, number)
            until(lambda n=number: n in states(registry))
        loader.gate.set()
        until(lambda: served(registry) == 5)
        until(lambda: list(states(registry).values()).count(State.AVAILABLE) == 1)
    # The second was under way; the two after it were overtaken before they began.
    assert loader.tried == [1, 2, 5]


def test_stop_closes_everything_and_answers_no_more(base, loader):
    with serving(shoes(base), loader=loader) as registry:
        pass
    assert loader.of(1).closed
    with pytest.raises(ServingError, match="Servable not found"):
        served(registry)
    names = {thread.name for thread in threading.enumerate()}
    assert not any(name.startswith("registry") for name in names)


def test_stop_does_not_close_a_version_that_is_still_in_use(base, loader):
    with serving(shoes(base), loader=loader, drain_seconds=0.1) as registry:
        lease = registry.acquire("shoes")
        held = lease.__enter__()
        registry.stop()
        assert held.read() == "good"
        lease.__exit__(None, None, None)
        until(lambda: loader.of(1).closed)


def test_waiting_for_readiness_ends(tmp_path, loader):
    (tmp_path / "shoes").mkdir()
    with serving(shoes(tmp_path / "shoes"), loader=loader) as registry:
        assert not registry.wait_until_ready(0.05)
        push(tmp_path / "shoes", 1)
        assert registry.wait_until_ready(20)
