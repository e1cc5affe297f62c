"""All models of a server, under the one lock."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

from serving.server.config import ModelConfig
from serving.server.lifecycle import Event, Model, Version, VersionStatus
from serving.server.servable import ServableId

logger = logging.getLogger(__name__)

Listener = Callable[[ServableId, VersionStatus], None]

# Models that were taken out of the configuration, whose last state is still told.
_MOST_REMOVED = 16


class Known(NamedTuple):
    """What was known of a configured model at one moment."""

    config: ModelConfig
    alive: set[int]
    failed: set[int]


class Shelf:
    """The models, by name, and what the threads tell each other of them.

    Args:
      listeners: are told of each move of a version, in order, by one thread at a time.

    Attributes:
      changed: the lock of all that is here, and the condition that something has changed. Never
        held while a disk, TensorFlow or a listener is at work.
      models: by name; those that were taken out of the configuration come first.
      configured: whether there was a configuration at all.
      stopping: whether the threads are to end.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.changed = threading.Condition()
        self.models: dict[str, Model] = {}
        self.configured = False
        self.stopping = False
        self._listeners = tuple(listeners)
        self._events: deque[Event] = deque()
        self._telling = threading.Lock()
        # Whether a look is asked for, whether at the disk as it is now, and whether one is on.
        self._look_wanted = self._afresh = self._looking = False

    def replace(self, configs: Sequence[ModelConfig]) -> None:
        """Puts another list of models in the place of the present one."""
        with self.changed:
            listed = {config.name: config for config in configs}
            for name, model in self.models.items():
                if name not in listed:
                    model.configured = False
                    model.retire(())
            for name, config in listed.items():
                known = self.models.get(name)
                if known is not None and known.configured:
                    known.config, known.listing = config, None
                    continue
                # Of one that was removed before, only what still drains is kept.
                draining = known.draining if known is not None else []
                self.models[name] = Model(config, self._events, draining=draining)
            removed = [n for n, m in self.models.items() if not (m.configured or m.draining)]
            for name in removed[:-_MOST_REMOVED]:
                del self.models[name]
            self.configured = True
            self.look_again(afresh=True)

    def known(self) -> dict[str, Known]:
        """Returns what is known of the configured models now, by name."""
        with self.changed:
            return {
                name: Known(
                    model.config,
                    {n for n, version in model.versions.items() if version.alive},
                    {n for n, version in model.versions.items() if version.error},
                )
                for name, model in self.models.items()
                if model.configured
            }

    def unavailable(self) -> list[str]:
        """Returns the names of configured models that no version of is AVAILABLE."""
        with self.changed:
            models = self.models.items()
            return [name for name, m in models if m.configured and m.newest is None]

    def serves(self) -> bool:
        """Whether any version answers requests."""
        with self.changed:
            return any(model.newest is not None for model in self.models.values())

    def idle(self) -> bool:
        """Whether all is done that the configuration and the folders ask for; under the lock."""
        return self.stopping or not (
            self._look_wanted
            or self._looking
            or any(model.configured and model.busy for model in self.models.values())
        )

    def look_again(self, *, afresh: bool = False) -> None:
        """Asks for a look at the models; `afresh`: at the disk as it is now. Under the lock."""
        self._look_wanted, self._afresh = True, self._afresh or afresh
        self.changed.notify_all()

    def begin_look(self, timeout: Optional[float], *, polls: bool) -> tuple[list[Model], bool]:
        """Waits until a look is due, asked for or not.

        Args:
          timeout: seconds after which one is due unasked; None for never.
          polls: whether such a one is at the disk as it is then.

        Returns:
          The models to look at, and whether their folders are to be listed anew.
        """
        with self.changed:
            asked = self.changed.wait_for(lambda: self._look_wanted or self.stopping, timeout)
            afresh = self._afresh or (polls and not asked)
            self._look_wanted = self._afresh = False
            self._looking = True
            return [model for model in self.models.values() if model.configured], afresh

    def end_look(self) -> None:
        """Ends what `begin_look` began."""
        with self.changed:
            self._looking = False
            self.changed.notify_all()

    def queued(self) -> Optional[tuple[Model, Version]]:
        """Returns the next version to load, the newest of its model; None if none waits."""
        for model in self.models.values():
            queued = [version for version in model.versions.values() if version.queued]
            if model.configured and queued:
                return model, max(queued, key=lambda version: version.id.version)
        return None

    def drained(self) -> Optional[tuple[Model, Version]]:
        """Returns a version that no request runs on any more and that is to be closed."""
        for model in self.models.values():
            for version in model.draining:
                if not version.users:
                    return model, version
        return None

    def draining(self) -> list[Version]:
        """Returns all versions that are UNLOADING."""
        return [version for model in self.models.values() for version in model.draining]

    def tell(self) -> None:
        """Logs what has happened and tells the listeners. Not under the lock."""
        with self._telling:
            while self._events:
                servable_id, status = self._events.popleft()
                name, number = servable_id.name, servable_id.version
                if status.error is not None:
                    logger.error(
                        "Version %d of model %s is refused: %s", number, name, status.error
                    )
                else:
                    logger.info("Version %d of model %s: %s", number, name, status.state.name)
                for listener in self._listeners:
                    _call(listener, servable_id, status)


def _call(listener: Listener, servable_id: ServableId, status: VersionStatus) -> None:
    try:
        listener(servable_id, status)
    except Exception:
        logger.exception("A listener of the registry failed.")
