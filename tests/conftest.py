"""What holds for all tests: a quiet TensorFlow that leaves room for the other worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

# Read when the libraries are first imported, so before any test module is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# No test may reach for the network: checkpoints are bundled, or made small on the spot.
os.environ["HF_HUB_OFFLINE"] = "1"

import hypothesis
import pytest

import prodcls_tf  # noqa: F401  (sets TF_USE_LEGACY_KERAS before anything loads TensorFlow)

ROOT = Path(__file__).parent.parent

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they
# start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples every time, however slow the machine: a red run is never chance.
hypothesis.settings.register_profile(
    "prodcls",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("prodcls")


@pytest.fixture(scope="session")
def fresh_python() -> Callable[..., str]:
    """Runs code in a Python of its own and returns what it prints."""

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def prodcls() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a process of its own; in the folder `cwd`, if given."""

    def run(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, "-m", "prodcls_tf.cli", *map(str, arguments)],
            cwd=cwd,
            # A wide terminal, so that no test depends on where a line is wrapped.
            env={**os.environ, "COLUMNS": "100", "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
