"""Work at a lower priority."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.server.background import in_background, requests_first

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")


@pytest.fixture
def busy():
    with requests_first(True):
        yield


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may end SCHED_IDLE for sure")


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
@as_root
def test_the_work_runs_where_nothing_else_wants_to(busy):
    assert in_background(lambda: os.sched_getscheduler(0)) == os.SCHED_IDLE


# Wants a core without a pause, and for six sevenths of the time.
ALWAYS = "while True: pass"
MOSTLY = """
import time
while True:
    until = time.monotonic() + 0.06
    while time.monotonic() < until:
        pass
    time.sleep(0.01)
"""


@contextlib.contextmanager
def hog(core: int, program: str = ALWAYS):
    """A process that wants a core."""
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        os.sched_setaffinity(process.pid, {core})
        yield
    finally:
        process.kill()
        process.wait()


def hashed(core: int, times: int = 1) -> int:
    """Wants half a minute and more of what SCHED_IDLE leaves it beside `hog`; tells the policy."""
    os.sched_setaffinity(0, {core})
    block = bytes(200 << 20)
    for _ in range(times):
        hashlib.sha256(block)
    return os.sched_getscheduler(0)


@linux
@as_root
def test_work_that_starves_gets_its_share(busy):
    core = min(os.sched_getaffinity(0))
    with hog(core):
        assert in_background(lambda: hashed(core)) == os.SCHED_OTHER
    assert in_background(lambda: os.sched_getscheduler(0)) == os.SCHED_OTHER
    assert in_background(niceness) > niceness()


@linux
@as_root
def test_work_that_gets_small_gaps_alone_starves(busy):
    core = min(os.sched_getaffinity(0))
    with hog(core, MOSTLY):
        assert in_background(lambda: hashed(core, times=5)) == os.SCHED_OTHER


@linux
@as_root
def test_work_that_waits_does_not_starve(busy):
    in_background(lambda: time.sleep(1.2))
    assert in_background(lambda: os.sched_getscheduler(0)) == os.SCHED_IDLE


@linux
@as_root
def test_threads_of_work_that_starves_get_their_share(busy):
    core = min(os.sched_getaffinity(0))

    def work() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(hashed, core).result()

    with hog(core):
        assert in_background(work) == os.SCHED_OTHER


@linux
def test_a_priority_that_is_refused_fails_no_work(busy, monkeypatch):
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    assert in_background(lambda: 6 * 7) == 42


@linux
@as_root
def test_a_system_that_lets_nobody_back_gives_niceness_alone(fresh_python):
    printed = fresh_python(
        "import os, resource\n"
        "from serving.server.background import in_background, requests_first\n"
        "resource.setrlimit(resource.RLIMIT_NICE, (0, 0))\n"
        "os.setuid(65534)\n"
        "def seen(): return os.sched_getscheduler(0) == os.SCHED_OTHER, os.nice(0)\n"
        "with requests_first(True): print(in_background(seen))"
    )
    assert printed == "(True, 5)\n"


@linux
def test_a_server_that_is_idle_itself_stays_so(fresh_python):
    printed = fresh_python(
        "import os, time\n"
        "from serving.server.background import _idle_can_end, in_background, requests_first\n"
        "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n"
        "def seen(): return os.sched_getscheduler(0) == os.SCHED_IDLE\n"
        "with requests_first(True): print(in_background(seen), _idle_can_end(), seen())"
    )
    assert printed == "True False True\n"


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
