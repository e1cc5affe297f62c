"""Prints what became of the categories from the model that served to a new one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from prodcls_tf.cli import terminal
from prodcls_tf.cli.beside import EQUAL, cells
from prodcls_tf.evaluation.category_changes import NEW, RETIRED, CategoryChange, read_changes

# Of falls, and of rises. The file has all.
_SHOWN = 5
# Of new categories, and of retired ones.
_NAMED = 3


def show_categories(file: Path) -> None:
    """Prints the largest falls and rises of F1, and which categories are new or retired.

    Args:
      file: OUT/categories.csv; nothing is printed without it.
    """
    changes = read_changes(file)
    if not changes:
        return
    falls = [one for one in changes if (one.f1_change or 0.0) <= -EQUAL]
    rises = [one for one in reversed(changes) if (one.f1_change or 0.0) >= EQUAL]
    terminal.heading("F1 by category, beside the model that served")
    if falls or rises:
        table = terminal.table("category", "rows", "served", "now")
        for one in falls[:_SHOWN] + rises[:_SHOWN]:
            figures = cells([one.f1_before, one.f1_after])
            table.add_row(Text(one.category), f"{one.rows:,}", *figures)
        terminal.show(table)
    equal = sum(one.f1_change is not None for one in changes) - len(falls) - len(rises)
    counts = [f"{len(falls)} fell", f"{len(rises)} rose", f"{equal} without a difference"]
    counts += [_counted(changes, state) for state in (NEW, RETIRED)]
    told = ", ".join(filter(None, counts))
    path = terminal.nearby(file)
    for line in (told, f"all of them, and where their rows went: {path}"):
        terminal.out().print(Text(f"  {line}", "soft"), soft_wrap=True)


def _counted(changes: Sequence[CategoryChange], state: str) -> str:
    """Counts the categories that are new, or retired, and names the largest."""
    found = sorted((one for one in changes if one.state == state), key=lambda one: -one.rows)
    names = "; ".join(one.category for one in found[:_NAMED])
    more = "; ..." if len(found) > _NAMED else ""
    return f"{len(found)} {state} ({names}{more})" if found else ""
