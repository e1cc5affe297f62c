"""Work at a lower priority."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from serving.server.background import in_background, requests_first

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")


@pytest.fixture
def busy():
    with requests_first(True):
        yield


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_the_result_is_returned(busy):
    assert in_background(lambda: 6 * 7) == 42


def test_an_error_is_raised(busy):
    with pytest.raises(ZeroDivisionError):
        in_background(lambda: 1 / 0)


@linux
def test_the_work_has_a_lower_priority(busy):
    assert in_background(niceness) > niceness()


@linux
def test_whoever_waits_keeps_its_priority(busy):
    before = niceness()
    in_background(niceness)
    assert niceness() == before


@linux
def test_a_server_of_low_priority_does_not_get_a_higher_one(fresh_python):
    printed = fresh_python(
        "import os; os.nice(15)\n"
        "from serving.server.background import in_background, requests_first\n"
        "with requests_first(True): print(in_background(lambda: os.nice(0)))"
    )
    assert printed == "19\n"


def test_work_that_nobody_is_held_up_by_is_done_as_any_other():
    with requests_first(True), requests_first(False):
        assert in_background(threading.get_ident) == threading.get_ident()
    assert in_background(threading.get_ident) == threading.get_ident()


def test_the_thread_is_gone_afterwards(busy):
    in_background(lambda: None)
    assert "background" not in [thread.name for thread in threading.enumerate()]
