"""Prints trained models side by side: figures, categories and settings."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from rich.text import Text

from pipeline.category_figures import category_f1
from pipeline.training import Training
from prodcls_tf.cli import terminal
from prodcls_tf.cli.beside import EQUAL, Values, cells
from prodcls_tf.cli.runs_found import name_of
from prodcls_tf.cli.runs_listed import fate, took, when
from prodcls_tf.cli.runs_settings import differing, settings_of
from prodcls_tf.cli.search_result import FIGURES

_SHOWN = 30


def show_comparison(trainings: Sequence[Training]) -> None:
    """Prints models beside the first one, and how they differ from it."""
    _show_names(trainings)
    _show_figures(trainings)
    _show_categories(trainings)
    _show_settings(trainings)
    for training in trainings:
        for lost in training.missing:
            terminal.note(f"{name_of(training)}: not known: {lost}")
    if not same_rows(trainings):
        terminal.note(
            "the held-out rows are not the same for all: a difference may come from the rows"
        )


def same_rows(trainings: Sequence[Training]) -> bool:
    """Says whether models are known to be measured on the same rows."""
    origins = {
        (training.origin.fingerprint, str(training.settings.get("data"))) for training in trainings
    }
    return len(origins) == 1 and all(training.origin.fingerprint for training in trainings)


def f1_by_category(trainings: Sequence[Training]) -> dict[str, list[float | None]]:
    """Returns F1 on test rows for each model, by category: largest difference first.

    Args:
      trainings: the models.

    Returns:
      The values in the models' order, None where a category occurs neither among a model's test
      rows nor among its predictions; empty where the figures of a model are lost.
    """
    reports = [category_f1(training) for training in trainings]
    if not all(reports):
        return {}
    paths = sorted({path for report in reports for path in report})
    table = {path: [report.get(path) for report in reports] for path in paths}
    return dict(sorted(table.items(), key=lambda entry: -_spread(entry[1])))


def _spread(values: Values) -> float:
    """The largest difference from the first value; 0 where there is none to compare."""
    first, *others = values
    if first is None:
        return 0.0
    return max((abs(other - first) for other in others if other is not None), default=0.0)


def _show_names(trainings: Sequence[Training]) -> None:
    table = terminal.table("", "run", "trained", "took", "pushed", left=5)
    table.columns[1].overflow = "fold"
    for letter, training in zip(_letters(trainings), trainings, strict=True):
        name = Text(name_of(training))
        table.add_row(letter, name, when(training.trained), took(training), fate(training))
    terminal.out().print()
    terminal.show(table)


def _show_figures(trainings: Sequence[Training]) -> None:
    tests = [training.test for training in trainings]
    if not any(tests):
        return
    terminal.heading("On held-out rows, and the difference from A")
    table = terminal.table("", *_letters(trainings))
    rows = ("-" if test is None else f"{test.rows:,}" for test in tests)
    table.add_row("rows", *rows)
    for name, title in FIGURES.items():
        table.add_row(Text(title), *cells([getattr(test, name, None) for test in tests]))
    before = [getattr(test.baseline if test else None, "macro_f1", None) for test in tests]
    table.add_row(Text("macro-F1 before", "soft"), *cells(before))
    terminal.show(table)


def _show_categories(trainings: Sequence[Training]) -> None:
    by_category = f1_by_category(trainings)
    if not by_category:
        terminal.note("no F1 by category: the Evaluator's figures of a run are not there any more")
        return
    changed = {path: values for path, values in by_category.items() if _spread(values) >= EQUAL}
    # Without a row there is no F1: such a category is neither better nor worse.
    apart = [path for path in by_category if path not in changed and None in by_category[path]]
    equal = len(by_category) - len(changed) - len(apart)
    terminal.heading("F1 by category, largest difference first")
    if changed:
        table = terminal.table("category", *_letters(trainings))
        for path, values in list(changed.items())[:_SHOWN]:
            table.add_row(Text(path), *cells(values))
        terminal.show(table)
    more = len(changed) - _SHOWN
    if more > 0:
        terminal.out().print(f"  [soft]{more} more differ; --json has all[/soft]")
    for number, what in ((equal, "without a difference"), (len(apart), "not in all of them")):
        if number:
            shown = terminal.counted(number, "category", "categories")
            terminal.out().print(f"  [soft]{shown} {what}[/soft]")


def _show_settings(trainings: Sequence[Training]) -> None:
    names = differing(trainings)
    terminal.heading("Settings that differ")
    if not names:
        terminal.out().print("  none")
        return
    made = [settings_of(training) for training in trainings]
    table = terminal.table("", *_letters(trainings), left=len(trainings) + 1)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.overflow = "fold"
    for name in names:
        table.add_row(Text(name), *(Text(settings.get(name, "-")) for settings in made))
    terminal.show(table)


def _letters(trainings: Sequence[Training]) -> list[str]:
    """Short names for the columns: a folder's would not fit."""
    return [
        ascii_uppercase[number] if number < len(ascii_uppercase) else f"#{number + 1}"
        for number in range(len(trainings))
    ]
