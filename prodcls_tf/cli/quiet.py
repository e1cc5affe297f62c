"""Keeps the noise of libraries out of a user's terminal, and in a log file instead."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Optional

from prodcls_tf.cli import terminal

OUR_LOGGERS = ("prodcls_tf", "pipeline", "serving")

_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "GRPC_VERBOSITY": "ERROR",
    "GLOG_minloglevel": "2",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}

_debug = False
_log: Optional[Path] = None


def set_environment() -> None:
    """Sets what libraries read when they are first imported; what a user has set stays."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def set_debug(debug: bool) -> bool:
    """Leaves all output of libraries on the terminal, and tracebacks with it."""
    global _debug
    _debug = _debug or debug
    return debug


def debugging() -> bool:
    """Says whether `--debug` was given."""
    return _debug


def log_file() -> Optional[Path]:
    """Returns where the noise goes, None where it stays on the terminal."""
    return _log


def send_noise_away() -> None:
    """Sends all that libraries print or log into a temporary file, until this process ends.

    Libraries in C++ write to the file descriptors themselves, so these are turned; `terminal`
    keeps the real ones. Warnings of our own loggers are shown on the terminal.
    """
    global _log
    if _debug or _log is not None:
        return
    descriptor, name = tempfile.mkstemp(prefix="prodcls-", suffix=".log")
    _log = Path(name)
    terminal.keep_real_streams()
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    _log_to_stderr()


def forget_log() -> None:
    """Removes the file, where nobody will want to look into it."""
    if _log is not None:
        _log.unlink(missing_ok=True)


class _ToTerminal(logging.Handler):
    """Shows a record as one calm line."""

    def emit(self, record: logging.LogRecord) -> None:
        terminal.note(record.getMessage())


def _log_to_stderr() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    shown = _ToTerminal(level=logging.WARNING)
    for name in OUR_LOGGERS:
        logging.getLogger(name).addHandler(shown)
