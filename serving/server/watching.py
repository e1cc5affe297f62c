"""What a look at a model's folder comes to: which versions to load, which to wait for or refuse."""

from __future__ import annotations

import enum
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Optional

from serving.server.config import ModelConfig
from serving.server.lifecycle import Model, State, Version
from serving.server.repository import Found, inspect, list_versions
from serving.server.servable import ServableId
from serving.server.status import Code, ServingError


class Verdict(enum.Enum):
    """What is to become of a version that was found."""

    LOAD = "load"
    WAIT = "wait"
    REFUSE = "refuse"


class Finding(NamedTuple):
    """A version that was looked at: `error` says why it is refused."""

    found: Found
    verdict: Verdict
    error: Optional[ServingError] = None


@dataclass(frozen=True)
class Look:
    """What there is of a model.

    Args:
      config: for which it was taken.
      listing: folders by version number; None where the model's folder cannot be read.
      wanted: numbers of the versions that are to be served, newest first.
      findings: by number, for the versions that are not loaded.
      alarm: what is wrong, in a sentence; empty if nothing is.
    """

    config: ModelConfig
    listing: Optional[dict[int, Path]]
    wanted: list[int]
    findings: dict[int, Finding]
    alarm: str = ""


class Watcher:
    """Looks at folders and judges what it finds.

    Args:
      settle_seconds: a version that is incomplete, and has not changed for so long, is given up
        until it changes.
      quiet_seconds: a version without a manifest, whose completeness cannot be told, is loaded
        when it has not changed for so long.
    """

    def __init__(self, settle_seconds: float, quiet_seconds: float) -> None:
        self._settle = settle_seconds
        self._quiet = quiet_seconds

    def look(self, model: Model, *, afresh: bool) -> Look:
        """Looks at a model's folder. May take long where the disk does: call without a lock.

        Args:
          model: whose folder it is.
          afresh: whether to list the folder, or to go by what was there before.

        Returns:
          What was found.
        """
        config, versions = model.config, dict(model.versions)
        listing, alarm = model.listing, model.alarm
        if afresh or listing is None:
            listing, alarm = _listed(config, versions)
        if listing is None:
            return Look(config, None, [], {}, alarm)
        folders = listing
        findings: dict[int, Finding] = {}

        def loadable(number: int) -> bool:
            version = versions.get(number)
            if version is not None and version.alive:
                return True
            folder = folders.get(number)
            found = _inspected(folder) if folder is not None else None
            if found is None:
                return False
            findings[number] = self._judge(found, version)
            return findings[number].verdict is Verdict.LOAD

        numbers = set(listing)
        if config.policy.kind == "specific":
            # It was asked for by its number: it goes on though its folder was deleted.
            numbers |= {n for n, version in versions.items() if version.alive}
        return Look(config, listing, config.policy.wanted(numbers, loadable), findings, alarm)

    def _judge(self, found: Found, known: Optional[Version]) -> Finding:
        same = known is not None and known.fingerprint == found.fingerprint
        if known is not None and same and known.state == State.END and known.error:
            return Finding(found, Verdict.REFUSE, known.error)
        if found.unsafe:
            return Finding(found, Verdict.REFUSE, found.unsafe)
        # A copy can bear old times of change, but not old times of its inodes.
        unchanged = time.time() - found.changed
        if known is not None and same and known.state == State.START:
            unchanged = max(unchanged, time.monotonic() - known.since)
        if found.incomplete:
            if unchanged < self._settle:
                return Finding(found, Verdict.WAIT)
            return Finding(found, Verdict.REFUSE, found.incomplete)
        if not found.has_manifest and unchanged < self._quiet:
            return Finding(found, Verdict.WAIT)
        return Finding(found, Verdict.LOAD)


def apply_look(model: Model, look: Look) -> None:
    """Moves a model's versions as a look at its folder demands. Call with the registry's lock.

    Args:
      model: that was looked at.
      look: what was found.
    """
    if look.listing is None:
        return
    model.listing = look.listing
    for number, finding in look.findings.items():
        version = model.versions.get(number)
        if version is not None and version.alive:
            continue
        unknown = version is None or version.fingerprint != finding.found.fingerprint
        if version is None or version.state != State.START:
            if finding.verdict is Verdict.REFUSE and not unknown:
                continue
            version = Version(ServableId(model.config.name, number), finding.found.folder)
            model.versions[number] = version
            model.move(version, State.START)
        if unknown:
            version.fingerprint, version.since = finding.found.fingerprint, time.monotonic()
        version.settled = finding.verdict is Verdict.LOAD
        if finding.verdict is Verdict.REFUSE:
            model.move(version, State.END, finding.error)
    waiting = [n for n, f in look.findings.items() if f.verdict is Verdict.WAIT]
    model.retire(look.wanted, waiting)


def _inspected(folder: Path) -> Optional[Found]:
    """What a version's folder is; None if it was deleted since it was listed."""
    try:
        return inspect(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        refusal = ServingError(
            Code.PERMISSION_DENIED,
            f"A version's folder must be readable. Received {folder}: {error}. Check who may.",
        )
        return Found(folder, hash(str(error)), 0.0, has_manifest=False, unsafe=refusal)


def _listed(
    config: ModelConfig, versions: Mapping[int, Version]
) -> tuple[Optional[dict[int, Path]], str]:
    """The versions on disk, and what is wrong with them."""
    name, folder, policy = config.name, config.folder, config.policy
    try:
        listing = list_versions(folder)
    except OSError as error:
        return None, (
            f"Could not find base path {folder} for servable {name}: {error}. What is loaded is "
            "served on. Put the folder back, or configure another one."
        )
    serving = [n for n, version in versions.items() if version.state == State.AVAILABLE]
    gone = sorted(n for n in serving if n not in listing)
    if gone:
        return listing, (
            f"The folder of version {', '.join(map(str, gone))} of model {name}, which is served, "
            f"is gone from {folder}. It is served on until another version can take its place."
        )
    lost = sorted(policy.versions - set(listing))
    if policy.kind == "specific" and lost:
        return listing, (
            f"Version {', '.join(map(str, lost))} of model {name}, which its policy asks for, was "
            f"not found in {folder}. Push it, or change the policy."
        )
    if not listing:
        return listing, (
            f"No versions of servable {name} found under base path {folder}. A version's folder "
            "bears a whole number: push one."
        )
    return listing, ""
