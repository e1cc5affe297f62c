"""One worker of a search, or its chief: a process of its own.

    KERASTUNER_TUNER_ID=... KERASTUNER_ORACLE_IP=... KERASTUNER_ORACLE_PORT=... \
      python -m prodcls_tf.tuning.worker FOLDER

FOLDER is that of the search. The variables are KerasTuner's own: who it is (`chief`, or any other
name), and where the chief listens.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from prodcls_tf import progress
from prodcls_tf.errors import ProdclsError
from prodcls_tf.settings import Settings
from prodcls_tf.tuning import processes, workers


def main(folder: Path) -> int:
    """Takes part in a search until its trials or its time run out.

    Args:
      folder: of the search.

    Returns:
      The exit code: 0, or `processes.GAVE_UP` for a reason that is kept in the folder.
    """
    processes.begin()
    # So that a trial under way is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        orders = workers.Orders.read(folder)
    except (OSError, ValueError) as error:
        return _refuse(f"the folder of a search that is under way. Received {folder}: {error}.")
    missing = [
        name for name in (workers.NAME, workers.HOST, workers.PORT) if name not in os.environ
    ]
    if missing:
        return _refuse(f"its name and its chief's address. Missing: {', '.join(missing)}.")
    _end_at(orders.until + workers.GRACE)

    from prodcls_tf.tuning.trials import Trials
    from prodcls_tf.tuning.tuner import ProductTuner

    settings = Settings.parse(orders.settings)
    trials = Trials(folder, Path(orders.logs), settings)
    with progress.listening(processes.tell):
        try:
            tuner = ProductTuner(settings, trials, folder, orders.width, orders.rows, orders.until)
            tuner.take_part()
        except ProdclsError as error:
            return workers.gives_up(folder, os.environ[workers.NAME], str(error))
    return 0


def _refuse(needed: str) -> int:
    sys.stderr.write(f"A worker needs {needed} See docs/tuning.md.\n")
    return 1


def _end_at(moment: float) -> None:
    """Bounds all waiting for a chief that is gone, which KerasTuner would do for an hour."""
    timer = threading.Timer(max(moment - time.time(), 0.0), os._exit, [1])
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
