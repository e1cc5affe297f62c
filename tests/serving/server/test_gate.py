from __future__ import annotations

import threading
import time

import pytest

from serving.server.gate import Gate
from serving.server.status import Code, ServingError


def test_who_comes_beyond_the_limit_is_refused_at_once():
    gate = Gate(2)
    with gate.passing(), gate.passing():
        with pytest.raises(ServingError, match="At most 2 requests") as caught:
            gate.enter()
        assert caught.value.code == Code.RESOURCE_EXHAUSTED
    with gate.passing():
        assert gate.inside == 1


def test_place_is_given_back_after_a_failure():
    gate = Gate(1)
    with pytest.raises(KeyError), gate.passing():
        raise KeyError
    assert gate.inside == 0


def test_closed_gate_lets_nobody_in_and_those_inside_go_on():
    gate = Gate(2)
    with gate.passing():
        gate.close()
        with pytest.raises(ServingError, match="shutting down") as caught:
            gate.enter()
        assert caught.value.code == Code.UNAVAILABLE
        assert not gate.wait_until_empty(time.monotonic() + 0.01)
    assert gate.wait_until_empty(time.monotonic())


def test_wait_ends_with_the_last_one_inside():
    gate = Gate(1)
    gate.enter()
    threading.Timer(0.05, gate.leave).start()
    assert gate.wait_until_empty(time.monotonic() + 30)
