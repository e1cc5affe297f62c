"""Says when product files have come, or have changed, and are complete."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from prodcls_tf.data.files import find_files, stamp
from prodcls_tf.data.spans import in_window, spans_of
from prodcls_tf.errors import InputError

Snapshot = dict[Path, tuple[int, int]]


class Arrivals:
    """Looks at files again and again.

    A file may be looked at while it is being copied. So a change counts only when everything has
    stayed the same for a while.

    Args:
      paths: files, folders, also such with spans, and patterns; there may be nothing yet.
      window: how many of the newest spans count; 0 for all.
      settle_seconds: how long files must stay the same.

    Example:
      >>> arrivals = Arrivals([Path("data")], window=3, settle_seconds=30)
      >>> arrivals.complete(now=0.0)
      False
    """

    def __init__(self, paths: Sequence[Path], window: int, settle_seconds: float) -> None:
        self._paths, self._window, self._settle = list(paths), window, settle_seconds
        self._seen: Snapshot = {}
        self._since = 0.0
        self._done: Snapshot = {}
        self._put_off: Snapshot = {}

    @property
    def waiting(self) -> list[Path]:
        """The files that have come, or have changed, since files were done."""
        return [path for path, stamp in self._seen.items() if self._done.get(path) != stamp]

    @property
    def has_new_span(self) -> bool:
        """Whether a span has come since files were done; so have all, as long as none were."""
        known = spans_of(list(self._done))
        return not self._done or any(n not in known for n in spans_of(self.waiting))

    def complete(self, now: float) -> bool:
        """Looks, and says whether there are files that are complete, not done and not put off.

        Args:
          now: seconds on any clock that does not go back.
        """
        found = self._look()
        if found is None or found != self._seen:
            self._seen, self._since = found or {}, now
        settled = now - self._since >= self._settle
        return bool(self._seen) and self._seen not in (self._done, self._put_off) and settled

    def done(self) -> None:
        """Says that the files that were seen last are dealt with."""
        self._done = self._seen

    def put_off(self) -> None:
        """Says that the files that were seen last wait until there are others."""
        self._put_off = self._seen

    def _look(self) -> Optional[Snapshot]:
        """Sizes and times of change of all files; None where one of them goes away meanwhile."""
        try:
            return {path: stamp(path) for path in find_files(in_window(self._paths, self._window))}
        except (InputError, OSError):
            return None
