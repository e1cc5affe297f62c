"""One worker of a search, or its chief: a process of its own.

    KERASTUNER_TUNER_ID=... KERASTUNER_ORACLE_IP=... KERASTUNER_ORACLE_PORT=... \
      python -m prodcls_tf.tuning.worker FOLDER

FOLDER is that of the search. The variables are KerasTuner's own: who it is (`chief`, or any other
name), and where the chief listens.
"""

from __future__ import annotations

import signal
import sys
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
      The exit code: 0, or `processes.GAVE_UP` with the reason on stderr.
    """
    if not sys.stdin.isatty():
        processes.begin()
    # So that a trial under way is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    job = workers.Job.read(folder)

    from prodcls_tf.tuning.trials import Trials
    from prodcls_tf.tuning.tuner import ProductTuner

    settings = Settings.parse(job.settings)
    trials = Trials(folder, Path(job.logs), settings)
    with progress.listening(processes.tell):
        try:
            tuner = ProductTuner(settings, trials, folder, job.width, job.rows, job.until)
            tuner.take_part()
        except ProdclsError as error:
            sys.stderr.write(f"{error}\n")
            return processes.GAVE_UP
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
