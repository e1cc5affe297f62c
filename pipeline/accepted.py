"""What rows were accepted as: OUT/schema, a folder for each accepted state, the highest counts.

A state is a schema that people may edit, the statistics and profiles of the rows it was taken
from, and the anomalies with which it was accepted. It becomes the accepted one by one rename.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Optional, TypeVar

import pydantic

from pipeline.schema_proto import read_schema
from prodcls_tf.data.anomalies import AnomalyReport
from prodcls_tf.data.profile import LeftOut, Profile
from prodcls_tf.durable import sync_folder, write_through
from prodcls_tf.errors import DataError, InputError, OutputError

CANDIDATE = "candidate"

# So many states are kept, the accepted one among them.
KEPT = 5

_SCHEMA = "schema.pbtxt"
_STATISTICS = "statistics.pb"
_BASELINE = "baseline.json"
_ANOMALIES = "anomalies.json"

_Model = TypeVar("_Model", bound=pydantic.BaseModel)


class Baseline(pydantic.BaseModel):
    """What later rows are compared with.

    Attributes:
      origin: digest of the product files and of what they were read by.
      files: the product files by source.
      columns: columns by their names as features, the label's among them.
      splits: profiles by split.
      left_out: rows that are in none of them.
      schema_digest: of the schema as it was written: another one was edited since.
      accepted: when.
      by: what accepted it: the first run, or a command.
    """

    origin: str
    files: dict[str, list[str]]
    columns: dict[str, str]
    splits: dict[str, Profile]
    left_out: LeftOut = pydantic.Field(default_factory=LeftOut)
    schema_digest: str = ""
    accepted: Optional[datetime] = None
    by: str = ""


@dataclass(frozen=True)
class State:
    """A state's folder.

    Attributes:
      folder: a number, or the candidate.
    """

    folder: Path

    @property
    def number(self) -> int:
        """Its number; the candidate has none."""
        return int(self.folder.name)

    @property
    def schema(self) -> Path:
        """The schema, as text."""
        return self.folder / _SCHEMA

    @property
    def statistics(self) -> Path:
        """TFDV's statistics of the training rows."""
        return self.folder / _STATISTICS

    def baseline(self) -> Baseline:
        """Reads what later rows are compared with.

        Raises:
          DataError: it is missing or damaged.
        """
        return self._read(Baseline, _BASELINE)

    def anomalies(self) -> AnomalyReport:
        """Reads what was unusual about its rows when they were seen.

        Raises:
          DataError: it is missing or damaged.
        """
        return self._read(AnomalyReport, _ANOMALIES)

    def edited(self) -> bool:
        """Says whether a person has edited the schema."""
        return _digest(self._bytes(_SCHEMA)) != self.baseline().schema_digest

    def digest(self) -> str:
        """Returns what tells it from any other state, edits included."""
        return _digest(self._bytes(_SCHEMA) + self._bytes(_BASELINE))

    def _read(self, kind: type[_Model], name: str) -> _Model:
        try:
            return kind.model_validate_json(self._bytes(name))
        except pydantic.ValidationError as error:
            raise self._unreadable(name, str(error.errors()[0]["msg"])) from None

    def _bytes(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise self._unreadable(name, error.strerror or str(error)) from None

    def _unreadable(self, name: str, why: str) -> DataError:
        return DataError(
            f"What was accepted must be readable. Received {self.folder / name}: {why}. Bring the "
            f"file back. Or move the folder {self.folder} away: the one accepted before it counts "
            "again, or, without one, the next run's rows do."
        )


def newest(folder: Path) -> Optional[State]:
    """Returns the accepted state, None where nothing was accepted yet.

    Args:
      folder: OUT/schema; may be missing.
    """
    return max(_states(folder), key=lambda state: state.number, default=None)


def candidate(folder: Path) -> Optional[State]:
    """Returns what the last run saw, if it was stopped and nobody accepted it since."""
    state = State(folder / CANDIDATE)
    return state if state.folder.is_dir() else None


def check(folder: Path) -> None:
    """Refuses an accepted state that cannot be read: told before any work.

    Args:
      folder: OUT/schema; may be missing.

    Raises:
      DataError: the message says what is wrong, and where.
    """
    state = newest(folder)
    if state is not None:
        state.baseline()
        read_schema(state.schema)


def cache_key(folder: Path, origin: str) -> str:
    """Names the accepted state as far as the gate's verdict on some rows depends on it.

    A state that was taken from these very rows, and that nobody has edited, agrees with them
    whatever it is: it has the empty name, as no state has. So a first run, which ends in a state
    of its own, is found in the cache by the second one.

    Args:
      folder: OUT/schema.
      origin: of the rows.

    Raises:
      DataError: the accepted state cannot be read.
    """
    state = newest(folder)
    if state is None or (state.baseline().origin == origin and not state.edited()):
        return ""
    return state.digest()


def propose(
    folder: Path, schema: str, statistics: bytes, baseline: Baseline, report: AnomalyReport
) -> State:
    """Writes what a run has seen as the candidate, in place of a former one.

    Args:
      folder: OUT/schema; made if missing.
      schema: of the rows, as text.
      statistics: TFDV's, of the training rows.
      baseline: of the rows; it gets the schema's digest.
      report: what is unusual about them.

    Raises:
      OutputError: it cannot be written.
    """
    content = schema.encode()
    baseline = baseline.model_copy(update={"schema_digest": _digest(content)})
    files: Mapping[str, bytes] = {
        _SCHEMA: content,
        _STATISTICS: statistics,
        _BASELINE: baseline.model_dump_json().encode(),
        _ANOMALIES: report.model_dump_json(indent=2).encode(),
    }
    with _refusing_unwritable(folder):
        draft = folder / f".{CANDIDATE}-{os.getpid()}"
        forget_candidate(folder)
        draft.mkdir(parents=True)
        for name, data in files.items():
            write_through(draft / name, data)
        sync_folder(draft)
        draft.replace(folder / CANDIDATE)
        sync_folder(folder)
    return State(folder / CANDIDATE)


def accept(folder: Path, moment: datetime, by: str) -> State:
    """Makes the candidate the accepted state; former ones are kept, `KEPT` in all.

    Args:
      folder: OUT/schema.
      moment: now.
      by: what accepts it.

    Returns:
      The accepted state.

    Raises:
      InputError: there is no candidate.
      OutputError: the folder cannot be written.
    """
    proposed, former = candidate(folder), newest(folder)
    if proposed is None:
        raise InputError(
            "What can be accepted is what a stopped run has left. Received "
            f"{folder.parent}, whose last run was not stopped. Run it first."
        )
    baseline = proposed.baseline().model_copy(update={"accepted": moment, "by": by})
    accepted = State(folder / str(1 if former is None else former.number + 1))
    with _refusing_unwritable(folder):
        draft = proposed.folder / f".{_BASELINE}"
        write_through(draft, baseline.model_dump_json().encode())
        draft.replace(proposed.folder / _BASELINE)
        sync_folder(proposed.folder)
        proposed.folder.replace(accepted.folder)
        sync_folder(folder)
        for old in sorted(_states(folder), key=lambda state: state.number)[:-KEPT]:
            shutil.rmtree(old.folder)
    return accepted


def forget_candidate(folder: Path) -> None:
    """Removes what a stopped run has left, and what a killed one has left of that."""
    with _refusing_unwritable(folder):
        for path in folder.glob(f"*{CANDIDATE}*"):
            shutil.rmtree(path)


def _states(folder: Path) -> list[State]:
    if not folder.is_dir():
        return []
    return [State(path) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()]


@contextlib.contextmanager
def _refusing_unwritable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"What is accepted must be kept in a folder that can be written. Received {folder}: "
            f"{error.strerror or error}. Check permissions and free space."
        ) from None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
