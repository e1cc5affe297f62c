from __future__ import annotations

import subprocess
import sys

from tests.serving.server.embedded import ROOT

# Signals that come while the main thread goes to sleep, with other threads in its way.
_HURRY = """
import os, random, signal, sys, threading, time
from serving.server.stopping import StopSignals

def burn():
    while True:
        pass

def end(ready):
    ready.wait()
    time.sleep(random.random() * 2e-4)
    os.kill(os.getpid(), signal.SIGTERM)

sys.setswitchinterval(1e-6)
for _ in range(3):
    threading.Thread(target=burn, daemon=True).start()
for _ in range(100):
    with StopSignals() as signals:
        signals.calmly()
        ready = threading.Event()
        ender = threading.Thread(target=end, args=(ready,))
        ender.start()
        ready.set()
        signals.wait()
        ender.join()
print("all came")
"""


def test_signal_is_seen_at_whatever_moment_it_comes():
    done = subprocess.run(
        [sys.executable, "-c", _HURRY],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout == "all came\n", done.stderr


def test_second_signal_ends_the_process_at_once():
    script = (
        "import os, signal\nfrom serving.server.stopping import StopSignals\n"
        "with StopSignals() as signals:\n"
        "  signals.calmly()\n"
        "  os.kill(os.getpid(), signal.SIGTERM)\n  signals.wait()\n"
        "  os.kill(os.getpid(), signal.SIGTERM)\n  print('goes on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (143, "")


def test_signal_before_anything_runs_is_a_calm_end():
    script = (
        "import os, signal\nfrom serving.server.stopping import StopSignals\n"
        "with StopSignals():\n  os.kill(os.getpid(), signal.SIGTERM)\n  print('goes on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
