"""Prints what a run of the pipeline came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from prodcls_tf.cli import terminal
from prodcls_tf.cli.beside import difference
from prodcls_tf.cli.categories_shown import show_categories
from prodcls_tf.cli.search_result import FIGURES, show_found

if TYPE_CHECKING:
    from pipeline.summary import Summary


def show_result(summary: Summary, out: Path) -> None:
    """Prints the intake's findings, what is unusual, figures, categories and where the model is.

    Args:
      summary: of the run.
      out: the run's output folder.
    """
    from prodcls_tf.release.order import follows_newest

    show_intake(out)
    for anomaly in summary.anomalies:
        terminal.note(anomaly.message)
    if {"Tuner", "FormerSearch"} & set(summary.seconds):
        show_found(summary.hparams)
    show_figures(summary)
    show_categories(out / "categories.csv")
    terminal.heading("Model")
    if summary.pushed and summary.model is not None:
        terminal.out().print(
            Text.assemble("  pushed  ", (terminal.nearby(summary.model), "good")), soft_wrap=True
        )
        if not follows_newest(Path(summary.model).parent):
            terminal.note(summary.reason)
    else:
        terminal.out().print(Text.assemble(("  ✗ ", "bad"), summary.reason))
    if summary.comparison is not None:
        terminal.out().print(Text(f"  {summary.comparison.line}"), soft_wrap=True)
    memory = f"{summary.peak_memory_mb / 1024:.1f} GB of memory at most"
    steps = sum(summary.seconds.values())
    terminal.out().print(f"  [soft]{terminal.seconds(steps)}, {memory}[/soft]")


def show_figures(summary: Summary) -> None:
    """Prints the figures on held-out rows, before and after fine-tuning."""
    test = summary.splits.get("test")
    if test is None:
        return
    before: Mapping[str, Any] = test.baseline.model_dump() if test.baseline else {}
    after = test.model_dump()
    terminal.heading(f"On {terminal.counted(test.rows, 'held-out row')}")
    table = terminal.table("", "before", "fine-tuned", "change")
    for name, title in FIGURES.items():
        change = after[name] - before[name] if name in before else None
        table.add_row(
            Text(title),
            f"{before[name]:.3f}" if name in before else "-",
            Text(f"{after[name]:.3f}", "bold"),
            difference(change),
        )
    terminal.show(table)


def show_intake(out: Path) -> None:
    """Prints what intake found in the files, as it stands in OUT/intake.json."""
    from prodcls_tf.data.report import IntakeReport

    file = out / "intake.json"
    if not file.is_file():
        return
    report = IntakeReport.model_validate(json.loads(file.read_text(encoding="utf-8")))
    terminal.heading("Rows")
    sums, *findings = report.lines()
    terminal.out().print(Text(f"  {sums}"))
    for finding in findings:
        terminal.out().print(Text(f"  {finding}", "note"))
    if report.rows_read > sum(report.kept.values()):
        rejects = terminal.nearby(out / "rejects.csv")
        terminal.out().print(Text(f"  all rows left out: {rejects}", "soft"), soft_wrap=True)
