"""Figures beside one another, and by how much they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from rich.text import Text

# What rounds to nothing at three digits is no difference.
EQUAL = 0.0005

Values = Sequence[Optional[float]]


def cells(values: Values) -> list[Text]:
    """Writes values, and after each but the first its difference from that."""
    first = values[0]
    made = []
    for number, value in enumerate(values):
        cell = Text("-" if value is None else f"{value:.3f}")
        if number and value is not None and first is not None:
            cell.append(" ").append_text(difference(value - first))
        made.append(cell)
    return made


def difference(value: Optional[float]) -> Text:
    """Writes a difference, where there is one, so that good and bad are seen."""
    if value is None:
        return Text("-")
    style = "good" if value >= EQUAL else "bad" if value <= -EQUAL else "soft"
    return Text(f"{value:+.3f}", style)
