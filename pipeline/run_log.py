"""Sends what the engines log to a file, so that the terminal belongs to the run's own words."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.out_folder import write

_FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"

# These log only from warnings upward unless told otherwise; a log file can have more.
_CHATTY = ("absl", "prodcls_tf", "pipeline")

# One line per operation: a log of megabytes in which nothing is found.
_TOO_CHATTY = ("apache_beam", "tensorflow_transform", "matplotlib", "h5py")


class RunLog:
    """A log file that takes the place of the terminal within a `with` block.

    Args:
      path: of the file; overwritten.

    Example:
      >>> with RunLog(Path("runs/mine/run.log")) as log:  # doctest: +SKIP
      ...     import tfx.components
      ...     log.take_over()
    """

    def __init__(self, path: Path) -> None:
        """See the class."""
        self._path = path
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> RunLog:
        """Opens the file and turns warnings and the root logger to it.

        Raises:
          OutputError: the file cannot be written.
        """
        write(self._path, "")
        handler = _LogFile(self._path, encoding="utf-8")
        handler.setFormatter(logging.Formatter(_FORMAT))
        self._stack.callback(handler.close)
        root = logging.getLogger()
        self._stack.enter_context(_level(root, logging.INFO))
        root.addHandler(handler)
        self._stack.callback(root.removeHandler, handler)
        logging.captureWarnings(True)
        self._stack.callback(logging.captureWarnings, False)
        self.take_over()
        return self

    def take_over(self) -> None:
        """Turns every logger that writes to the terminal; again after imports brought new ones."""
        for name in _CHATTY:
            self._stack.enter_context(_level(logging.getLogger(name), logging.INFO))
        for name in _TOO_CHATTY:
            self._stack.enter_context(_level(logging.getLogger(name), logging.WARNING))
        for name in ["", *logging.root.manager.loggerDict]:
            self._stack.enter_context(_off_terminal(logging.getLogger(name)))

    def __exit__(self, *failure: object) -> None:
        """Gives everything back as it was."""
        self._stack.close()


class _LogFile(logging.FileHandler):
    """A file that may lose lines: where its disk is full, a run has something better to say."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Leaves out a record that cannot be written, where `logging` would print a traceback."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        """Closes the file, though the last lines may not fit."""
        with contextlib.suppress(OSError):
            super().close()


@contextlib.contextmanager
def _level(logger: logging.Logger, level: int) -> Iterator[None]:
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _off_terminal(logger: logging.Logger) -> Iterator[None]:
    handlers = [handler for handler in logger.handlers if _writes_to_terminal(handler)]
    propagate = logger.propagate
    for handler in handlers:
        logger.removeHandler(handler)
    if handlers:
        logger.propagate = True
    try:
        yield
    finally:
        for handler in handlers:
            logger.addHandler(handler)
        logger.propagate = propagate


def _writes_to_terminal(handler: logging.Handler) -> bool:
    terminal = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    # absl wraps its stream handler in another one.
    inner = getattr(handler, "python_handler", handler)
    return isinstance(inner, logging.StreamHandler) and inner.stream in terminal
