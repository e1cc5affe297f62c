"""Processes of a search, by the real thing: they tell, are stopped, and end with their starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prodcls_tf.progress import Event, listening
from prodcls_tf.tuning.processes import OutOfTimeError, last_words, run_module

WORKING = """
import sys, time
from pathlib import Path
from prodcls_tf.progress import Event
from prodcls_tf.tuning import processes

processes.begin()
folder = Path(sys.argv[1])
(folder / "pid").write_text(str(__import__("os").getpid()))
print("a library's own line")
processes.tell(Event("sorting", 1, 2, "half"))
time.sleep(float((folder / "seconds").read_text()))
sys.stderr.write("first\\nlast\\n")
sys.exit(int((folder / "code").read_text()))
"""

STARTER = """
import sys
from pathlib import Path
from prodcls_tf.tuning.processes import run_module

folder = Path(sys.argv[1])
run_module("working", folder, folder / "log", 60.0)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    (tmp_path / "working.py").write_text(WORKING, encoding="utf-8")
    (tmp_path / "starter.py").write_text(STARTER, encoding="utf-8")
    (tmp_path / "seconds").write_text("0")
    (tmp_path / "code").write_text("0")
    paths = [str(tmp_path), str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return tmp_path


def wait_for(condition) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_progress_is_passed_on_and_other_lines_are_not(folder):
    events: list[Event] = []
    with listening(events.append):
        assert run_module("working", folder, folder / "log", 60.0, "trial 1") == 0
    assert events == [Event("trial 1", 0, 1, "sorting 50%  half")]


def test_the_last_line_says_why_a_process_failed(folder):
    (folder / "code").write_text("3")
    assert run_module("working", folder, folder / "log", 60.0) == 3
    assert last_words(3, folder / "log") == "Its process ended with exit code 3: last"


def test_a_signal_is_named(tmp_path):
    assert "ended by signal 9. The system may have run out of memory" in last_words(-9, tmp_path)


def test_a_process_is_stopped_when_its_time_is_over(folder):
    (folder / "seconds").write_text("60")
    with pytest.raises(OutOfTimeError):
        run_module("working", folder, folder / "log", 2.0)
    assert gone(int((folder / "pid").read_text()))


def test_a_process_without_a_starter_minds_no_stdin(folder):
    (folder / "seconds").write_text("1")
    done = subprocess.run(
        [sys.executable, "-m", "working", str(folder)], stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0


def test_a_process_ends_when_its_starter_is_killed(folder):
    (folder / "seconds").write_text("60")
    starter = subprocess.Popen([sys.executable, "-m", "starter", str(folder)])
    wait_for((folder / "pid").exists)
    wait_for((folder / "pid").read_text)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    pid = int((folder / "pid").read_text())
    wait_for(lambda: gone(pid))
