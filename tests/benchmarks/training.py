"""Runs `one_training` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def train_once(folder: Path, seed: int, overrides: Sequence[str]) -> dict[str, float]:
    """Trains once on a set and returns its figures.

    Args:
      folder: with train.csv, val.csv and test.csv.
      seed: of the training.
      overrides: settings as `section.name=value`.
    """
    command = [sys.executable, "-m", "tests.benchmarks.one_training", str(folder), str(seed)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(
        [*command, *overrides], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])
