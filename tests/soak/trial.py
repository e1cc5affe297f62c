"""One row under trial: what it is given, what was seen, and whether it held."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from tests.soak.load_process import Result


@dataclass(frozen=True)
class Settings:
    """What all rows are given.

    Args:
      tiny: folder of the tiny model.
      model: folder of a real version, for the rows 1, 16 and memory; None for the tiny model.
      seconds: of load for each row, at least.
      clients: that ask at a time.
      reloads: in the check of memory.
    """

    tiny: Path
    model: Optional[Path]
    seconds: float
    clients: int
    reloads: int


class Trial:
    """What one row comes to.

    Args:
      row: its number in the fault table.
      settings: of the run.
      folder: empty, its own.

    Attributes:
      seen: figures, in words.
      broken: what did not hold.
    """

    def __init__(self, row: str, settings: Settings, folder: Path) -> None:
        self.row, self.settings, self.folder = row, settings, folder
        self.seen: list[str] = []
        self.broken: list[str] = []
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """Prints a line of progress."""
        sys.stdout.write(f"[{self.row}] {text}\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Keeps a figure for the table."""
        self.seen.append(text)
        self.say(text)

    def check(self, holds: bool, wanted: str) -> None:
        """Keeps what was wanted and did not hold; the row goes on."""
        if not holds and wanted not in self.broken:
            self.broken.append(wanted)
            self.say(f"does not hold: {wanted}")

    def end(self) -> None:
        """Notes how long it took."""
        self.note(f"{time.monotonic() - self._began:.0f} s in all")

    def judge(
        self,
        result: Result,
        *,
        versions: Optional[Iterable[int]] = None,
        order: Optional[list[int]] = None,
        may_fail: tuple[str, ...] = (),
        who: str = "",
    ) -> None:
        """Judges what the clients saw.

        Args:
          result: of the load.
          versions: those that may have answered, in the order in which clients may see them:
            none may go back; None for version 1 alone.
          order: what each client must have seen, one after another, in place of `versions`.
          may_fail: codes with which requests may have failed.
          who: names the clients, where there are several loads.
        """
        real = list(versions or [1])
        lost = {code: s for code, s in result.failures.items() if code not in may_fail}
        missing = sum(spread.requests for spread in lost.values())
        refused = f", {result.lost - missing:,} refused" if may_fail else ""
        self.note(
            f"{who}{result.latency.requests:,} answered, {missing:,} lost{refused}, "
            f"{result.latency}"
        )
        for reason, count in result.reasons.items():
            self.say(f"{who}{count:,} times {reason}")
        self.check(not lost, f"{who}no request is lost, not with {', '.join(lost)}")
        self.check(not result.wrong, f"{who}all answers are right, not {result.examples}")
        self.check(not result.stuck, f"{who}all clients end ({result.stuck} do not)")
        if order is not None:
            odd = next((seen for seen in result.seen if seen != order), None)
            self.check(odd is None, f"{who}each client sees the versions {order}, not {odd}")
            return
        for seen in result.seen:
            self.check(set(seen) <= set(real), f"{who}versions are real; {seen} were seen")
            self.check(seen == sorted(set(seen)), f"{who}no version goes back; {seen} were seen")
