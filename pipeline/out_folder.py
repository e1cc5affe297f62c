"""The folder of a run: what lies where, and whether there is room for it."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prodcls_tf.errors import OutputError

# A model is written by the Trainer and copied by the Pusher; a checkpoint holds it with two moments
# of its optimizer, and the next one is written before the last goes.
_COPIES_OF_ENCODER = 2 + 2 * 3

# Raw and transformed examples, compressed, beside the shuffle files of Beam.
_COPIES_OF_DATA = 4

# Results that ML Metadata no longer knows of; a number follows.
_LOST = "lost-"

# Metadata, statistics, logs and the wide branch.
_REST = 200 << 20


@dataclass(frozen=True)
class OutFolder:
    """The paths of a run below its output folder.

    Attributes:
      root: the output folder, absolute: metadata outlives the working directory.
    """

    root: Path

    @property
    def artifacts(self) -> Path:
        """What the steps hand to each other."""
        return self.root / "pipeline"

    @property
    def metadata(self) -> Path:
        """ML Metadata: which step ran on what."""
        return self.root / "metadata.sqlite"

    @property
    def serving(self) -> Path:
        """Pushed models, by name and version."""
        return self.root / "serving"

    @property
    def logs(self) -> Path:
        """TensorBoard's folder."""
        return self.root / "logs"

    @property
    def run_log(self) -> Path:
        """What TFX, Beam and TensorFlow have to say about the last run."""
        return self.root / "run.log"

    @property
    def settings(self) -> Path:
        """All settings of the last run."""
        return self.root / "settings.yaml"

    @property
    def summary(self) -> Path:
        """Result of the last run."""
        return self.root / "summary.json"

    @property
    def intake(self) -> Path:
        """What intake found in the product files."""
        return self.root / "intake.json"

    @property
    def rejects(self) -> Path:
        """The rows that intake left out."""
        return self.root / "rejects.csv"

    @property
    def splits(self) -> Path:
        """Which split rows went to, so that they stay there in later runs."""
        return self.root / "splits"

    @property
    def categories(self) -> Path:
        """What became of each category, where the last run's model was compared with another."""
        return self.root / "categories.csv"

    @property
    def schema(self) -> Path:
        """What rows were accepted as, a folder for each accepted state."""
        return self.root / "schema"

    @property
    def anomalies(self) -> Path:
        """What is unusual about the rows of the last run."""
        return self.root / "anomalies.json"

    @property
    def checkpoints(self) -> Path:
        """State of unfinished trainings, one folder for each combination of data and settings."""
        return self.artifacts / "checkpoints"

    @property
    def records(self) -> Path:
        """Digests of what the steps wrote."""
        return self.artifacts / "records"

    @property
    def searches(self) -> Path:
        """State of searches for settings, one folder for each."""
        return self.artifacts / "searches"

    @property
    def search(self) -> Path:
        """Result of the last search for settings, with all its trials."""
        return self.root / "search.json"

    @property
    def hparams(self) -> Path:
        """The best settings of the last search, as a settings file."""
        return self.root / "hparams.yaml"

    @property
    def lock(self) -> Path:
        """What a run holds while it is at work."""
        return self.artifacts / "lock"

    def check_metadata(self) -> None:
        """Refuses a damaged ML Metadata.

        Raises:
          OutputError: the file is there, and no database.
        """
        if not self.metadata.exists():
            return
        try:
            with contextlib.closing(sqlite3.connect(self.metadata, timeout=60)) as database:
                database.execute("PRAGMA schema_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise OutputError(
                f"{self.metadata.name} must be a database that can be read. Received "
                f"{self.metadata}: {error}. Move it away, or put a copy of it back; without it all "
                "steps run again."
            ) from None

    def put_lost_results_aside(self) -> Path | None:
        """Clears the way where ML Metadata is gone: without it, no former result can be found.

        TFX would count its executions from 1 again and run into the folders of the former ones.
        Checkpoints and searches are found by their names and stay.

        Returns:
          Where the results were put, None where there were none.

        Raises:
          OutputError: they cannot be moved.
        """
        if self.metadata.exists():
            return None
        stay = {self.checkpoints.name, self.searches.name, self.lock.name}
        lost = [
            entry
            for entry in (self.artifacts.iterdir() if self.artifacts.is_dir() else [])
            if entry.name not in stay and not entry.name.startswith(_LOST)
        ]
        if not lost:
            return None
        number = sum(entry.name.startswith(_LOST) for entry in self.artifacts.iterdir()) + 1
        aside = self.artifacts / f"{_LOST}{number}"
        try:
            aside.mkdir()
            for entry in lost:
                entry.rename(aside / entry.name)
        except OSError as error:
            raise OutputError(
                f"Results without their {self.metadata.name} must be ones that can be moved. "
                f"Received {self.artifacts}: {error.strerror}. Remove that folder, or name "
                "another one with --out."
            ) from None
        return aside

    def at_work(self) -> bool:
        """Says whether a run is at work in the folder, without touching the lock that it needs.

        Taking the lock for a moment would tell as much, but a run that starts in that moment
        would be refused.
        """
        try:
            inode = self.lock.stat().st_ino
            held = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        except OSError:
            return False
        # 1: FLOCK  ADVISORY  WRITE 15043 fd:01:1234567 0 EOF
        return any(
            line.split()[1] == "FLOCK" and line.split()[5].rpartition(":")[2] == str(inode)
            for line in held
        )

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Makes the folder and keeps other runs out of it within the `with` block.

        Raises:
          OutputError: the folder cannot be written, or another run is at work in it.
        """
        try:
            self.artifacts.mkdir(parents=True, exist_ok=True)
            lock = self.lock.open("w")
        except OSError as error:
            raise OutputError(
                f"The output folder must be one that can be written. Received {self.root}: "
                f"{error.strerror}. Check the path and its permissions, or name another folder "
                "with --out."
            ) from None
        with lock:
            try:
                # The system takes the lock back when the process ends, even when it is killed.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise OutputError(
                    f"Only one run may work in an output folder. Received {self.root}, in which "
                    "another run is at work. Wait for its end, or name another folder with --out."
                ) from None
            yield


def write(path: Path, text: str) -> None:
    """Writes a small file of a run.

    Args:
      path: of the file; overwritten.
      text: its content.

    Raises:
      OutputError: it cannot be written.
    """
    with _refusing_unwritable(path):
        path.write_text(text, encoding="utf-8")


def copy(source: Path, path: Path) -> None:
    """Copies a file of any size to `path`, which is overwritten.

    Raises:
      OutputError: it cannot be written.
    """
    with _refusing_unwritable(path):
        shutil.copyfile(source, path)


@contextlib.contextmanager
def _refusing_unwritable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"The files of a run must be ones that can be written. Received {path}: "
            f"{error.strerror}. Check permissions and free space, or name another folder "
            "with --out."
        ) from None


def disk_needed(encoder_bytes: int, data_bytes: int) -> int:
    """Estimates what a run writes, in bytes, from the size of the encoder and of the data."""
    return _COPIES_OF_ENCODER * encoder_bytes + _COPIES_OF_DATA * data_bytes + _REST


def check_disk(folder: Path, needed: int) -> None:
    """Refuses to start where a run could not end.

    Args:
      folder: exists.
      needed: bytes.

    Raises:
      OutputError: less is free on the folder's disk.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"A run needs about {needed / 1e9:.1f} GB of disk. Received {folder} with "
            f"{free / 1e9:.1f} GB free. Free some space, or name a folder on another disk "
            "with --out."
        )
