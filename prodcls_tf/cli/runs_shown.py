"""Prints all that is known of one trained model."""

from __future__ import annotations

from rich.text import Text

from pipeline.summary import Figures
from pipeline.training import Training
from prodcls_tf.cli import terminal
from prodcls_tf.cli.runs_found import name_of
from prodcls_tf.cli.runs_listed import when
from prodcls_tf.cli.runs_settings import settings_of, unlike_defaults


def show_one(training: Training) -> None:
    """Prints figures, steps, settings and what became of the model."""
    trained = "" if training.trained is None else f"  trained {when(training.trained)}"
    terminal.out().print(Text.assemble((name_of(training), "bold"), trained), soft_wrap=True)
    _show_figures(training)
    _show_steps(training)
    _show_settings(training)
    _show_model(training)
    for lost in training.missing:
        terminal.note(f"not known: {lost}")


def _show_figures(training: Training) -> None:
    if not training.figures:
        return
    terminal.heading("Figures, and those before fine-tuning")
    table = terminal.table("", "rows", "accuracy", "macro-F1", "weighted-F1", "top-3 accuracy")
    for split, figures in training.figures.items():
        table.add_row(Text(split), f"{figures.rows:,}", *_written(figures))
        if figures.baseline is not None:
            before = (Text(figure, "soft") for figure in _written(figures.baseline))
            table.add_row(Text("  before", "soft"), "", *before)
    terminal.show(table)


def _written(figures: Figures) -> list[str]:
    values = (figures.accuracy, figures.macro_f1, figures.weighted_f1, figures.top3_accuracy)
    return [f"{value:.3f}" for value in values]


def _show_steps(training: Training) -> None:
    if not training.steps:
        return
    terminal.heading("Steps")
    table = terminal.table("", "")
    table.show_header = False
    for step in training.steps:
        shown = Text("cached", "soft") if step.cached else Text(terminal.seconds(step.seconds))
        table.add_row(Text(step.step), shown)
    terminal.show(table)


def _show_settings(training: Training) -> None:
    terminal.heading("Settings unlike the defaults")
    if not training.settings:
        terminal.out().print("  not known")
        return
    unlike = unlike_defaults(training)
    for name, value in unlike.items():
        terminal.out().print(Text(f"  {name}={value}"), soft_wrap=True)
    if not unlike:
        terminal.out().print("  none")


def _show_model(training: Training) -> None:
    terminal.heading("Model")
    lines = [training.verdict] if training.verdict else []
    if training.comparison is not None:
        lines.append(training.comparison.line)
    for version in training.versions:
        state = "serves" if version.serves else "kept" if version.there else "deleted"
        lines.append(f"{state:<10}{terminal.nearby(version.folder)}")
    if training.id is not None and training.model is not None:
        lines.append(f"{'trained':<10}{terminal.nearby(training.model)}")
    made = settings_of(training)
    lines += [f"{name:<10}{made[name]}" for name in ("files", "code", "weights") if name in made]
    if training.software:
        stands = ", ".join(f"{name} {version}" for name, version in training.software.items())
        lines.append(f"{'versions':<10}{stands}")
    for line in lines:
        terminal.out().print(Text(f"  {line}"), soft_wrap=True)
