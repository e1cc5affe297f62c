"""Reads the model_config_file again, and has the registry follow it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Optional

from prodcls_tf.errors import ProdclsError
from serving.server.config import ModelConfig

logger = logging.getLogger(__name__)


class ConfigWatcher:
    """Reads a configuration at intervals, and applies it when it has changed.

    One that cannot be read or applied is complained of once, and is tried again each time: the
    version that a label names may still be on its way.

    Args:
      read: reads the configuration; raises ProdclsError.
      apply: puts it into effect; raises ProdclsError.
      seconds: between two readings.
      present: the configuration that is in effect; None where none is.

    Example:
      >>> watcher = ConfigWatcher(options.models, registry.configure, seconds=10)  # doctest: +SKIP
      >>> watcher.start()  # doctest: +SKIP
    """

    def __init__(
        self,
        read: Callable[[], Sequence[ModelConfig]],
        apply: Callable[[Sequence[ModelConfig]], None],
        seconds: float,
        present: Optional[Sequence[ModelConfig]] = None,
    ) -> None:
        self._read, self._apply = read, apply
        self._seconds = seconds
        self._present = present
        self._complaint = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config-watcher", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Ends the thread; waits for one that applies a configuration, but no longer than this."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._over.wait(self._seconds):
            self._try()

    def _try(self) -> None:
        try:
            self._follow()
        except ProdclsError as error:
            self._complain(str(error))
        except Exception:  # the thread must outlive whatever a file holds
            logger.exception("The model configuration could not be followed.")

    def _follow(self) -> None:
        models = self._read()
        if models != self._present:
            self._apply(models)
            self._present = models
            logger.info("A new model configuration is in effect.")
        self._complaint = ""

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            logger.error("%s The present configuration stays in effect.", complaint)
        self._complaint = complaint
