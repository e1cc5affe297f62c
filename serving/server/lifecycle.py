"""The states of a model's versions, and what is to become of them. No threads, no locks."""

from __future__ import annotations

import enum
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from serving.server.config import ModelConfig
from serving.server.servable import Servable, ServableId
from serving.server.status import ServingError

logger = logging.getLogger(__name__)

# Ended versions whose state is still told.
_MOST_ENDED = 16


class State(enum.IntEnum):
    """Where a version is on its way; the numbers are those of GetModelStatus."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """What is told of a version.

    Args:
      version: its number.
      state: where it is on its way.
      error: why it ended, if it failed.
    """

    version: int
    state: State
    error: Optional[ServingError] = None


Event = tuple[ServableId, VersionStatus]


@dataclass(eq=False)
class Version:
    """A version on its way from START to END.

    Args:
      id: of the version.
      folder: it is loaded from.
      fingerprint: of the folder when it was looked at.
      since: when that fingerprint was first seen, in `time.monotonic()`.
      settled: whether it waits for being loaded, and no longer for its folder to be complete.
      state: where it is.
      error: why it ended, if it failed.
      servable: while it is loaded.
      users: requests that run on it now.
      overdue: when it is told that requests still hold it; only while UNLOADING.
    """

    id: ServableId
    folder: Path
    fingerprint: int = 0
    since: float = 0.0
    settled: bool = True
    state: State = State.START
    error: Optional[ServingError] = None
    servable: Optional[Servable] = None
    users: int = 0
    overdue: Optional[float] = None

    @property
    def alive(self) -> bool:
        """Whether it is loaded, or will be without a further look at its folder."""
        return self.state in (State.LOADING, State.AVAILABLE) or self.queued

    @property
    def queued(self) -> bool:
        """Whether it waits for being loaded."""
        return self.state == State.START and self.settled

    @property
    def status(self) -> VersionStatus:
        """What is told of it."""
        return VersionStatus(self.id.version, self.state, self.error)


@dataclass(eq=False)
class Model:
    """The versions of a model.

    Args:
      config: what is wanted of it.
      configured: whether it is still to be served.
      versions: by number; of one that is loaded again while it drains, the new one.
      draining: those that are UNLOADING.
      listing: folders on disk by number, as last seen; None before the first look.
      labels: version numbers by label.
      newest: the AVAILABLE version that a request without a version gets.
      alarm: what was last complained of, so that it is said once.
      events: the moves of versions, in order, for whoever tells of them.
    """

    config: ModelConfig
    events: deque[Event]
    configured: bool = True
    versions: dict[int, Version] = field(default_factory=dict)
    draining: list[Version] = field(default_factory=list)
    listing: Optional[dict[int, Path]] = None
    labels: dict[str, int] = field(default_factory=dict)
    newest: Optional[Version] = None
    alarm: str = ""

    def available(self, number: int) -> Optional[Version]:
        """Returns a version that requests can be given to; None if it is in another state."""
        version = self.versions.get(number)
        return version if version is not None and version.state == State.AVAILABLE else None

    @property
    def busy(self) -> bool:
        """Whether a version may become AVAILABLE soon."""
        states = [version.state for version in self.versions.values()]
        if any(version.queued for version in self.versions.values()) or State.LOADING in states:
            return True
        # One whose copy is under way is worth waiting for only where there is nothing else.
        return State.START in states and State.AVAILABLE not in states

    @property
    def waiting(self) -> bool:
        """Whether a version's folder may still be filled."""
        states = self.versions.values()
        return any(v.state == State.START and not v.settled for v in states)

    def move(self, version: Version, state: State, error: Optional[ServingError] = None) -> None:
        """Puts a version into a state, and chooses the newest one anew."""
        version.state, version.error = state, error
        if state == State.UNLOADING:
            self.draining.append(version)
        if state == State.END:
            self._end(version)
        serving = [v for v in self.versions.values() if v.state == State.AVAILABLE]
        self.newest = max(serving, key=lambda v: v.id.version, default=None)
        self.events.append((version.id, version.status))

    def retire(self, wanted: Iterable[int], waiting: Iterable[int] = ()) -> None:
        """Lets go of what is no longer wanted, but never of the last that can answer.

        Args:
          wanted: numbers of the versions that are to be served.
          waiting: numbers of those whose copy seems to be under way.
        """
        keep = set(wanted)
        serving = sorted(n for n in self.versions if self.available(n))
        if self.configured and not (keep and keep.issubset(serving)):
            # Until all that is wanted serves, the old ones do; of `latest`, not more than that
            # policy's number of them, however fast new ones come.
            latest = self.config.policy.kind == "latest"
            keep |= set(serving[-self.config.policy.count :] if latest else serving)
        for number, version in list(self.versions.items()):
            if number in keep:
                continue
            if version.state == State.START and number not in waiting:
                del self.versions[number]
            elif version.state == State.AVAILABLE:
                self.move(version, State.UNLOADING)

    def complain(self, alarm: str) -> None:
        """Logs what is wrong with the model's folder, once for as long as it stays the same."""
        if alarm and alarm != self.alarm:
            logger.error("%s", alarm)
        elif self.alarm and not alarm:
            logger.info("The folder of model %s is as it should be again.", self.config.name)
        self.alarm = alarm

    def _end(self, version: Version) -> None:
        version.servable = None
        if version in self.draining:
            self.draining.remove(version)
        number = version.id.version
        if self.versions.get(number) is version:
            # To the end of the dict, which thereby is in the order in which versions ended.
            self.versions[number] = self.versions.pop(number)
        on_disk = self.listing or {}
        ended = [
            number
            for number, version in self.versions.items()
            # One on disk that failed stays known as bad, lest it be loaded again and again.
            if version.state == State.END and not (version.error and number in on_disk)
        ]
        for number in ended[:-_MOST_ENDED]:
            del self.versions[number]
