"""The table at the end."""

from __future__ import annotations

from collections.abc import Sequence

from tests.soak.trial import Trial

_HEAD = ["| row | fault | what was seen | held |", "|---|---|---|---|"]


def line(trial: Trial, fault: str) -> str:
    """Returns a row's line of the table."""
    broken = [f"did not hold: {wanted}" for wanted in trial.broken]
    cells = [trial.row, fault, "; ".join([*trial.seen, *broken])]
    cells.append("no" if trial.broken else "yes")
    return "| " + " | ".join(" ".join(cell.replace("|", "/").split()) for cell in cells) + " |"


def table(lines: Sequence[str]) -> str:
    """Returns the whole table."""
    return "\n".join([*_HEAD, *lines])
