"""Whether what the cache has of the steps is still what they wrote. Imports no TFX.

ML Metadata says that an artifact is there, and TFX believes it as long as there is a folder. A file
in it that was deleted, cut short or changed since would fail a later step, or spoil it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prodcls_tf.manifest import sha256_of


class Fingerprints:
    """What artifacts were like when their steps ended, each in a file of its own.

    Args:
      folder: of the records; made when the first one is written.

    Example:
      >>> Fingerprints(Path("no/such/folder")).remove_damaged()
      []
    """

    def __init__(self, folder: Path) -> None:
        """See the class."""
        self._folder = folder

    def keep(self, artifacts: Iterable[Path]) -> None:
        """Remembers what the folders of artifacts are like now.

        Raises:
          OSError: a file cannot be read, or the record not be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for artifact in artifacts:
            files = {
                name: [*stamp, sha256_of(artifact / name)]
                for name, stamp in _stamps(artifact).items()
            }
            record = self._record(artifact)
            draft = record.with_suffix(".tmp")
            draft.write_text(json.dumps({"artifact": str(artifact), "files": files}))
            draft.replace(record)

    def forget(self, artifact: Path) -> None:
        """Forgets an artifact that is about to be changed on purpose."""
        self._record(artifact).unlink(missing_ok=True)

    def remove_damaged(self) -> list[Path]:
        """Removes artifacts that differ from their records: TFX makes anew what is missing.

        Sizes and times of change are compared; the content, where the time alone differs, as in a
        copy of the whole folder. An artifact without a record is left alone: its run was killed
        between the step's end and the record's.

        Returns:
          The folders that were removed.
        """
        removed = []
        for record in sorted(self._folder.glob("*.json")):
            try:
                known = json.loads(record.read_text())
                artifact, files = Path(known["artifact"]), known["files"]
            except (OSError, ValueError, KeyError, TypeError):
                record.unlink(missing_ok=True)
                continue
            if _is_damaged(artifact, files):
                if artifact.is_dir():
                    shutil.rmtree(artifact)
                    removed.append(artifact)
                record.unlink()
        return removed

    def _record(self, artifact: Path) -> Path:
        return self._folder / f"{hashlib.sha256(str(artifact).encode()).hexdigest()[:32]}.json"


def _is_damaged(artifact: Path, files: dict[str, Any]) -> bool:
    try:
        stamps = _stamps(artifact)
        return stamps.keys() != files.keys() or any(
            stamp[0] != files[name][0]
            or (stamp[1] != files[name][1] and sha256_of(artifact / name) != files[name][2])
            for name, stamp in stamps.items()
        )
    except (OSError, LookupError, TypeError):
        return True


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of each file below a folder, by its path within it."""
    stamps = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            status = Path(parent, name).stat()
            within = Path(parent, name).relative_to(folder).as_posix()
            stamps[within] = (status.st_size, status.st_mtime_ns)
    return stamps
