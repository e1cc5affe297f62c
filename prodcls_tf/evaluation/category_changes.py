"""What became of each category from one model to the next: a table for people. Imports no numpy."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

import pydantic

# A category that the former model did not know, or that the new one knows no more.
NEW, RETIRED = "new", "retired"


class CategoryChange(pydantic.BaseModel):
    """The figures of one category by both models, on the same test rows.

    A figure is None where a model does not know the category, and where it neither has rows nor is
    the model's answer for any.

    Attributes:
      category: its path.
      state: `NEW`, `RETIRED` or empty.
      rows: labelled rows that belong here.
      precision_before: share of the rows put here that belong here, by the former model.
      precision_after: the same by the new one.
      recall_before: share of the rows that belong here that were put here.
      recall_after: the same by the new one.
      f1_before: harmonic mean of the two.
      f1_after: the same by the new one.
      lost: rows of it that the former model has right and the new one has not.
      lost_to: where the new one puts most of them, `CATEGORY (ROWS)` each.
      won: rows of it that the new model has right and the former one has not.
      won_from: where that one puts most of them.
    """

    category: str
    state: str = ""
    rows: int = 0
    precision_before: Optional[float] = None
    precision_after: Optional[float] = None
    recall_before: Optional[float] = None
    recall_after: Optional[float] = None
    f1_before: Optional[float] = None
    f1_after: Optional[float] = None
    lost: int = 0
    lost_to: str = ""
    won: int = 0
    won_from: str = ""

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def f1_change(self) -> Optional[float]:
        """The difference of F1, None where one of them is."""
        if self.f1_before is None or self.f1_after is None:
            return None
        return self.f1_after - self.f1_before

    @property
    def weight(self) -> float:
        """How much its change matters: the change of F1 times its rows, as many as one at least.

        A category of two rows loses half of its F1 with one of them.
        """
        return (self.f1_change or 0.0) * max(1, self.rows)


def in_order(changes: Iterable[CategoryChange]) -> list[CategoryChange]:
    """Sorts by what matters most: falls, then rises from the least one on, then all others."""
    return sorted(changes, key=lambda one: (one.f1_change is None, one.weight, one.category))


def write_changes(path: Path, changes: Iterable[CategoryChange]) -> None:
    """Writes a CSV file with the attributes of `CategoryChange` as its columns.

    Raises:
      OSError: it cannot be written.
    """
    # Spreadsheets take a file for UTF-8 only where a mark says so.
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow([*CategoryChange.model_fields, *CategoryChange.model_computed_fields])
        for change in changes:
            values = change.model_dump().values()
            lines.writerow(round(v, 4) if isinstance(v, float) else v for v in values)


def read_changes(path: Path) -> list[CategoryChange]:
    """Reads what `write_changes` wrote; nothing where there is no such file, or another one."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.DictReader(stream))
        given = ({name: value for name, value in line.items() if value} for line in lines)
        return [CategoryChange.model_validate(values) for values in given]
    except (OSError, ValueError, csv.Error):
        return []
