"""The versions that are served: lends them to requests, and swaps them behind their backs.

A new version is loaded and warmed while the old one answers; then requests go to the new one, and
the old one is closed when the last request that runs on it is done. In reading order: lifecycle.py
has the states, watching.py judges folders, shelf.py holds everything, workers.py are the threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Optional

from prodcls_tf.errors import SettingsError
from serving.server.config import ModelConfig
from serving.server.labels import check_labels, check_moves, new_labels
from serving.server.lifecycle import Model, State, Version, VersionStatus
from serving.server.model_config import check_names
from serving.server.servable import Servable
from serving.server.shelf import Listener, Shelf
from serving.server.status import Code, ServingError
from serving.server.workers import Load, Warm, Workers

__all__ = ["Listener", "Load", "Registry", "State", "VersionStatus", "Warm"]


class Registry:
    """The versions that are served.

    Args:
      load: loads a version; raises ServingError or whatever TensorFlow raises.
      warm: is called with a version before it serves; one that it fails on is refused.
      poll_seconds: how often the folders are looked at; 0 for once a configuration, and so is
        less than 0.
      settle_seconds: an incomplete version is given up when it has not changed for so long.
      drain_seconds: after which it is logged that requests still hold an old version.
      listeners: are told of each move of a version, in order, by one thread at a time. END of a
        version that was loaded comes when it is closed.

    Example:
      >>> registry = Registry(Servable.load)  # doctest: +SKIP
      >>> registry.start()  # doctest: +SKIP
      >>> registry.configure([ModelConfig("prodcls", "/srv/prodcls")])  # doctest: +SKIP
      >>> with registry.acquire("prodcls") as servable:  # doctest: +SKIP
      ...     servable.id.version
      1795489515
    """

    def __init__(
        self,
        load: Load,
        *,
        warm: Warm = lambda servable: None,
        poll_seconds: float = 1.0,
        settle_seconds: float = 5.0,
        drain_seconds: float = 30.0,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self._shelf = Shelf(listeners)
        self._workers = Workers(
            self._shelf,
            load,
            warm,
            poll_seconds=poll_seconds,
            settle_seconds=settle_seconds,
            drain_seconds=drain_seconds,
        )
        self._configuring = threading.Lock()

    def start(self) -> None:
        """Starts the threads; comes before `configure`."""
        self._workers.start()

    def stop(self) -> None:
        """Takes all versions out of service and closes them when their requests are done.

        Waits `drain_seconds` for these and for a load under way. A version that is then still in
        use stays open: closing it under a request could crash the process.
        """
        with self._shelf.changed:
            for model in self._shelf.models.values():
                model.configured = False
                model.retire(())
            self._shelf.stopping = True
            self._shelf.changed.notify_all()
        self._workers.join()
        self._shelf.tell()

    def configure(
        self,
        models: Sequence[ModelConfig],
        *,
        allow_labels_for_unavailable: bool = False,
        timeout: float = 120.0,
    ) -> None:
        """Replaces the list of models, and waits until their versions are loaded or have failed.

        A list that cannot hold is refused before anything changes. Labels move together, at the
        end; where one cannot, all stay as they were.

        Args:
          models: the whole new list; a model that it leaves out is unloaded.
          allow_labels_for_unavailable: whether a label that is not in use yet may name a version
            that is not loaded.
          timeout: seconds to wait; versions that take longer go on loading.

        Raises:
          ServingError: INVALID_ARGUMENT for a name that occurs twice; FAILED_PRECONDITION for a
            label to a version that is not loaded, or a new folder with a version of the same
            number as one that is loaded from the old folder; ABORTED if another configuration
            is under way for all of the time.
        """
        until = time.monotonic() + timeout
        try:
            check_names(models)
        except SettingsError as error:
            raise ServingError(Code.INVALID_ARGUMENT, str(error)) from None
        if not self._configuring.acquire(timeout=timeout):
            raise ServingError(Code.ABORTED, "Another configuration is under way. Try again later.")
        try:
            known = self._shelf.known()
            check_moves(models, known)
            if not allow_labels_for_unavailable:
                check_labels(models, known)
            self._shelf.replace(models)
            with self._shelf.changed:
                self._shelf.changed.wait_for(self._shelf.idle, max(0.0, until - time.monotonic()))
                labels = new_labels(models, self._shelf.models, allow=allow_labels_for_unavailable)
                for name, of_model in labels.items():
                    self._shelf.models[name].labels = of_model
        finally:
            self._configuring.release()

    def acquire(
        self, name: str, version: Optional[int] = None, label: Optional[str] = None
    ) -> AbstractContextManager[Servable]:
        """Lends a version for a request; it is not closed before the context is left.

        Args:
          name: of the model.
          version: its number; None for the newest one, or that of the label.
          label: that stands for a version.

        Returns:
          A context whose value is the version. Entering it raises ServingError where there is no
          such version (NOT_FOUND) or label (INVALID_ARGUMENT).
        """
        return _Lease(self, name, version, label)

    def statuses(
        self, name: str, version: Optional[int] = None, label: Optional[str] = None
    ) -> list[VersionStatus]:
        """Says where a model's versions are.

        Args:
          name: of the model.
          version: the only one that is asked for; None for all, or that of the label.
          label: that stands for a version.

        Returns:
          The states, newest version first. Of ended versions, the last ones are kept.

        Raises:
          ServingError: the model or version is unknown (NOT_FOUND), or the label is
            (INVALID_ARGUMENT).
        """
        with self._shelf.changed:
            model = self._shelf.models.get(name)
            if label is not None:
                version = _labelled(model, label)
            known = model.versions if model is not None else {}
            if version is not None and version not in known:
                raise ServingError(
                    Code.NOT_FOUND, f"Could not find version {version} of model {name}"
                )
            if not known:
                raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
            numbers = sorted(known, reverse=True) if version is None else [version]
            return [known[number].status for number in numbers]

    def unavailable(self) -> list[str]:
        """Returns the names of configured models that no version of is AVAILABLE."""
        return self._shelf.unavailable()

    def ready(self) -> bool:
        """Says whether there is a configuration, all of whose models can answer."""
        return self._shelf.configured and not self._shelf.unavailable()

    def wait_until_ready(self, timeout: float) -> bool:
        """Waits until `ready`, for so many seconds at most; returns whether it is."""
        with self._shelf.changed:
            return self._shelf.changed.wait_for(self.ready, timeout)

    def _take(self, name: str, version: Optional[int], label: Optional[str]) -> Version:
        """Counts a request onto a version, so that it is not closed."""
        with self._shelf.changed:
            model = self._shelf.models.get(name)
            if label is not None:
                version = _labelled(model, label)
            found = None
            if model is not None:
                found = model.newest if version is None else model.available(version)
            if found is None:
                wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
                raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {wanted}")
            found.users += 1
            return found

    def _give_back(self, version: Version) -> None:
        """Ends what `_take` began."""
        with self._shelf.changed:
            version.users -= 1
            if version.users == 0 and version.state == State.UNLOADING:
                self._shelf.changed.notify_all()


class _Lease:
    """A version, lent for as long as the context lasts."""

    __slots__ = ("_asked", "_registry", "_version")

    def __init__(
        self, registry: Registry, name: str, version: Optional[int], label: Optional[str]
    ) -> None:
        self._registry, self._asked = registry, (name, version, label)
        self._version: Optional[Version] = None

    def __enter__(self) -> Servable:
        version = self._registry._take(*self._asked)
        if version.servable is None:  # an AVAILABLE version has one
            raise AssertionError(f"{version.id} is available and not loaded")
        self._version = version
        return version.servable

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        version, self._version = self._version, None
        if version is not None:
            self._registry._give_back(version)


def _labelled(model: Optional[Model], label: str) -> int:
    number = model.labels.get(label) if model is not None and model.configured else None
    if number is None:
        raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
    return number
