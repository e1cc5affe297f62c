"""Prints the list of trained models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from pipeline.history import History
from pipeline.training import Training
from prodcls_tf.cli import terminal
from prodcls_tf.cli.runs_found import name_of
from prodcls_tf.cli.runs_settings import differing, settings_of

_MOST_NOTES = 5
# A name is there to be copied, unless it would take the room of the figures.
_LONG_NAME = 24


def newest_first(histories: Sequence[History]) -> list[Training]:
    """Returns the trainings of several folders; those without a date come last."""
    found = [training for history in histories for training in history.trainings]
    return sorted(
        found, key=lambda run: run.trained.timestamp() if run.trained else 0.0, reverse=True
    )


def show_list(histories: Sequence[History]) -> None:
    """Prints one line for each model, and the settings in which the models differ."""
    trainings = newest_first(histories)
    if trainings:
        _show_figures(trainings)
        _show_settings(trainings)
    else:
        terminal.out().print("\n  No model has been trained yet.")
    _show_notes(histories, trainings)


def when(moment: datetime | None) -> str:
    """Writes a moment in the time of this machine."""
    return "-" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def took(training: Training) -> str:
    """Writes what the Trainer took."""
    return "-" if training.seconds is None else terminal.seconds(training.seconds)


def fate(training: Training) -> Text:
    """Says in few words whether a model was pushed, and whether it serves."""
    version = training.pushed
    if version is None:
        why = {True: "stopped before", False: "not blessed", None: "not measured"}
        return Text(f"no, {why[training.blessed]}", "bad" if training.blessed is False else "soft")
    if not version.there:
        return Text(f"{version.folder.name} deleted", "soft")
    if training.blessed is False:
        serves = "serves, " if version.serves else ""
        return Text(f"{version.folder.name} {serves}not blessed since", "note")
    if version.serves:
        return Text(f"{version.folder.name} serves", "good")
    return Text(version.folder.name)


def _show_figures(trainings: Sequence[Training]) -> None:
    terminal.heading("Models on held-out rows, newest first")
    table = terminal.table("run", "trained", "accuracy", "macro-F1", "before", "took", "pushed")
    # Names and figures stay whole; where there is little room, the other columns wrap.
    table.padding = (0, 2, 0, 0)
    for column, justify in zip(table.columns, "llrrrrl", strict=True):
        column.justify = "left" if justify == "l" else "right"
        column.no_wrap = column.header in ("accuracy", "macro-F1", "before")
    table.columns[0].overflow = "fold"
    table.columns[0].no_wrap = max(len(name_of(training)) for training in trainings) <= _LONG_NAME
    for training in trainings:
        test = training.test
        before = test.baseline if test is not None else None
        table.add_row(
            Text(name_of(training)),
            when(training.trained),
            "-" if test is None else f"{test.accuracy:.3f}",
            "-" if test is None else Text(f"{test.macro_f1:.3f}", "bold"),
            "-" if before is None else f"{before.macro_f1:.3f}",
            took(training),
            fate(training),
        )
    terminal.show(table)


def _show_settings(trainings: Sequence[Training]) -> None:
    names = differing(trainings)
    if not names:
        return
    terminal.heading("Where they differ")
    table = terminal.table("", "", left=2)
    table.show_header = False
    table.columns[0].overflow = "fold"
    for training in trainings:
        made = settings_of(training)
        pairs = [f"{name}={made[name]}" for name in names if name in made]
        table.add_row(Text(name_of(training)), Text("  ".join(pairs) or "not known"))
    terminal.show(table)


def _show_notes(histories: Sequence[History], trainings: Sequence[Training]) -> None:
    for training in trainings:
        for lost in training.missing:
            terminal.note(f"{name_of(training)}: not known: {lost}")
    for history in histories:
        folder = terminal.nearby(history.out)
        for problem in history.problems:
            terminal.note(problem)
        if history.at_work:
            terminal.note(f"{folder}: a run is at work in it")
        for run in history.unfinished[:_MOST_NOTES]:
            terminal.note(
                f"{name_of(run)}: no model: {run.state}, its training began {when(run.started)}"
            )
        more = len(history.unfinished) - _MOST_NOTES
        if more > 0:
            terminal.note(f"{folder}: {more} more without a model")
