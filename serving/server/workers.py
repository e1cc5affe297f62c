"""The three threads behind the registry: one looks at folders, one loads, one closes."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Optional

from serving.server.background import requests_first
from serving.server.lifecycle import Model, State, Version
from serving.server.repository import verify
from serving.server.servable import Servable, ServableId
from serving.server.shelf import Shelf
from serving.server.status import ServingError, from_tensorflow
from serving.server.watching import Watcher, apply_look

logger = logging.getLogger(__name__)

Load = Callable[[ServableId, Path], Servable]
Warm = Callable[[Servable], None]

# How often a folder is looked at while it may still be copied, and a version while it drains.
_WAITING_SECONDS = 1.0


class Workers:
    """Keeps the shelf as configuration and folders demand.

    Args:
      shelf: of the versions.
      load: loads a version.
      warm: is called with a loaded version before it serves.
      poll_seconds: how often folders are listed; 0 or less: only for a new configuration.
      settle_seconds: after which an unchanged incomplete version is given up.
      drain_seconds: after which it is logged that requests still hold an old version.
    """

    def __init__(
        self,
        shelf: Shelf,
        load: Load,
        warm: Warm,
        *,
        poll_seconds: float,
        settle_seconds: float,
        drain_seconds: float,
    ) -> None:
        self._shelf, self._load, self._warm = shelf, load, warm
        self._poll = poll_seconds if poll_seconds > 0 else None
        self._settle = settle_seconds
        self._drain = drain_seconds
        self._watcher = Watcher(settle_seconds, min(settle_seconds, self._poll or _WAITING_SECONDS))
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts the threads."""
        for run in (self._watch, self._load_versions, self._close_versions):
            thread = threading.Thread(target=run, name=f"registry{run.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def join(self) -> None:
        """Waits for the threads, which end once the shelf is stopping; bounded."""
        until = time.monotonic() + self._drain + _WAITING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _watch(self) -> None:
        while not self._shelf.stopping:
            with self._shelf.changed:
                waiting = any(model.waiting for model in self._shelf.models.values())
            timeout = self._poll
            if waiting:
                timeout = min(self._poll or math.inf, self._settle, _WAITING_SECONDS)
            models, afresh = self._shelf.begin_look(timeout, polls=self._poll is not None)
            for model in models:
                self._look(model, afresh=afresh)
            self._shelf.end_look()
            self._shelf.tell()

    def _look(self, model: Model, *, afresh: bool) -> None:
        try:
            look = self._watcher.look(model, afresh=afresh)
        except Exception:  # whatever a folder holds, the others are looked at
            logger.exception("The folder of model %s could not be looked at.", model.config.name)
            return
        with self._shelf.changed:
            # A look for another configuration says nothing of what this one wants.
            if not model.configured or model.config is not look.config:
                return
            apply_look(model, look)
            self._shelf.changed.notify_all()
        model.complain(look.alarm)

    def _load_versions(self) -> None:
        shelf = self._shelf
        while True:
            with shelf.changed:
                shelf.changed.wait_for(lambda: shelf.stopping or shelf.queued() is not None)
                queued = shelf.queued()
                if shelf.stopping or queued is None:
                    return
                model, version = queued
                model.move(version, State.LOADING)
            shelf.tell()
            servable, error = self._loaded(version)
            with shelf.changed:
                unwanted = shelf.stopping or not model.configured
                if servable is not None and not unwanted:
                    version.servable = servable
                    model.move(version, State.AVAILABLE)
            if servable is not None and unwanted:
                _shut(servable)
            with shelf.changed:
                if servable is None or unwanted:
                    model.move(version, State.END, error)
                # The one that it takes the place of can go, or an older one stands in for it.
                shelf.look_again()
            shelf.tell()

    def _loaded(self, version: Version) -> tuple[Optional[Servable], Optional[ServingError]]:
        servable = None
        try:
            with requests_first(self._shelf.serves()):
                verify(version.folder)
                servable = self._load(version.id, version.folder)
                self._warm(servable)
        except Exception as failure:  # a model's graph can make TensorFlow raise anything
            if servable is not None:
                _shut(servable)
            return None, failure if isinstance(failure, ServingError) else from_tensorflow(failure)
        return servable, None

    def _close_versions(self) -> None:
        shelf = self._shelf
        while True:
            with shelf.changed:
                timeout = min(_WAITING_SECONDS, self._drain + 0.05) if shelf.draining() else None
                shelf.changed.wait_for(self._due, timeout)
                if self._over():
                    return
                late = self._late()
                drained = shelf.drained()
            for version in late:
                logger.warning(
                    "%d requests still hold version %d of model %s, which is no longer served.",
                    version.users,
                    version.id.version,
                    version.id.name,
                )
            # Listeners hear of UNLOADING before the version is closed.
            shelf.tell()
            if drained is not None:
                self._close(*drained)

    def _due(self) -> bool:
        """Whether a version can be closed, begins to drain, or is the last to have done so."""
        new = any(version.overdue is None for version in self._shelf.draining())
        return new or self._shelf.drained() is not None or self._over()

    def _over(self) -> bool:
        return self._shelf.stopping and not self._shelf.draining()

    def _late(self) -> list[Version]:
        """Versions that have just been held for longer than they should."""
        now, late = time.monotonic(), []
        for version in self._shelf.draining():
            if version.overdue is None:
                version.overdue = now + self._drain
            elif version.users and now > version.overdue:
                version.overdue = math.inf
                late.append(version)
        return late

    def _close(self, model: Model, version: Version) -> None:
        if version.servable is not None:
            _shut(version.servable)
        with self._shelf.changed:
            model.move(version, State.END)
            self._shelf.changed.notify_all()
        self._shelf.tell()


def _shut(servable: Servable) -> None:
    try:
        servable.close()
    except Exception:
        logger.exception("Closing a version failed; it no longer serves.")
