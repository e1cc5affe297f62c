"""`prodcls evaluate`: how well a model classifies labelled files, category by category."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.text import Text

from prodcls_tf.cli import options, terminal
from prodcls_tf.cli.found import find_files
from prodcls_tf.cli.outputs import check_output
from prodcls_tf.errors import InputError, OutputError

if TYPE_CHECKING:
    import numpy as np

    from prodcls_tf.evaluation.metrics import CategoryMetrics, Metrics
    from prodcls_tf.settings import DataSettings
    from serving.saved_model import LocalModel

_SHOWN = 30
_ENDINGS = (".csv", ".json")
_COLUMNS = ("category", "precision", "recall", "f1", "rows")


def evaluate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Labelled files.")],
    model: options.Model = Path("runs/demo"),
    text: options.Text = None,
    label: options.Label = None,
    output: Annotated[
        Optional[Path],
        typer.Option("--output", metavar="FILE", help="The whole report: .csv or .json."),
    ] = None,
    encoding: Annotated[
        Optional[str], typer.Option(help="Encoding of the files, if not the training files'.")
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Measure a model on labelled rows: a report by category, worst first.

    Example: prodcls evaluate --model runs/mine labelled.csv --output report.csv
    """
    from prodcls_tf.cli.classify import column_settings, load_model

    found = find_files(files)
    if output is not None:
        check_output(output, _ENDINGS, found)
    loaded = load_model(model)
    measured = _Measured(loaded, found, column_settings(loaded, text, encoding, label))
    metrics = measured.metrics()
    show_report(metrics)
    measured.show_left_out(metrics)
    if output is not None:
        write_report(metrics, measured.unknown, output)
        terminal.err().print(f"\n  the whole report is in {output}", soft_wrap=True)


class _Measured:
    """What a model says of labelled rows."""

    def __init__(self, model: LocalModel, files: Sequence[Path], data: DataSettings) -> None:
        import numpy as np

        from prodcls_tf import progress
        from prodcls_tf.cli.classify import chunks
        from prodcls_tf.cli.steps import Steps
        from prodcls_tf.data.category import clean_category
        from prodcls_tf.data.cleaning import clean_fields
        from prodcls_tf.data.reading import read_rows
        from prodcls_tf.evaluation.metrics import best_three

        self.categories = model.categories
        self.unknown: Counter[str] = Counter()
        self.unlabelled = 0
        numbers = {category: number for number, category in enumerate(self.categories)}
        labels: list[int] = []
        best: list[np.ndarray] = []
        with Steps() as steps, progress.listening(steps):
            for chunk in chunks(read_rows(files, data)):
                known: list[tuple[str, ...]] = []
                for row in chunk:
                    category, _ = clean_category(row.category, data.separator)
                    if category in numbers:
                        known.append(clean_fields(row.fields, data.clean))
                        labels.append(numbers[category])
                    elif category:
                        self.unknown[category] += 1
                    else:
                        self.unlabelled += 1
                if known:
                    best.append(best_three(model.scores(known)))
                progress.report("measuring", len(labels), detail="rows")
            progress.report("measuring", len(labels), len(labels), terminal.counted(len(labels)))
        if not labels:
            shown = ", ".join(list(self.unknown)[:3]) or "no label at all"
            raise InputError(
                f"At least one row must have a category that the model knows, such as "
                f"{self.categories[0]!r}. Received: {shown}. Name the label's column with "
                "--label, or measure with the model of this tree."
            )
        self._labels = np.array(labels)
        self._best = np.concatenate(best)

    def metrics(self) -> Metrics:
        from prodcls_tf.evaluation.metrics import Metrics

        return Metrics.of_best(self._labels, self._best, self.categories)

    def show_left_out(self, metrics: Metrics) -> None:
        """Says which rows the figures leave out, and what they would be with them."""
        if self.unlabelled:
            terminal.note(f"{terminal.counted(self.unlabelled)} left out: no category")
        if self.unknown:
            rows = sum(self.unknown.values())
            shown = "; ".join(f"{name} ({n:,})" for name, n in self.unknown.most_common(5))
            more = "; ..." if len(self.unknown) > 5 else ""
            right = metrics.accuracy * metrics.rows / (metrics.rows + rows)
            terminal.note(
                f"{terminal.counted(rows)} left out: the model does not know "
                f"{terminal.counted(len(self.unknown), 'category', 'categories')}: {shown}{more}. "
                f"With these rows as errors the accuracy "
                f"is {right:.3f}."
            )


def show_report(metrics: Metrics) -> None:
    """Prints the report by category, worst first, and the figures over all."""
    ordered = worst_first(metrics.categories)
    title = "Categories, worst first"
    more = f" ({_SHOWN} of {len(ordered):,}; --output has all)" if len(ordered) > _SHOWN else ""
    terminal.heading(title + more)
    table = terminal.table(*_COLUMNS)
    for entry in ordered[:_SHOWN]:
        figures = (f"{value:.3f}" for value in (entry.precision, entry.recall, entry.f1))
        table.add_row(Text(entry.category), *figures, f"{entry.rows:,}")
    terminal.show(table)
    terminal.heading(f"On {terminal.counted(metrics.rows)}")
    table = terminal.table("", "")
    table.show_header = False
    for name, value in (
        ("accuracy", metrics.accuracy),
        ("macro-F1", metrics.macro_f1),
        ("weighted-F1", metrics.weighted_f1),
        ("top-3 accuracy", metrics.top3_accuracy),
    ):
        table.add_row(Text(name), f"[bold]{value:.3f}[/bold]")
    terminal.show(table)


def worst_first(entries: Iterable[CategoryMetrics]) -> list[CategoryMetrics]:
    """Sorts a report: lowest F1 first, among equals the one with most rows."""
    return sorted(entries, key=lambda entry: (entry.f1, -entry.rows, entry.category))


def write_report(metrics: Metrics, unknown: Counter[str], path: Path) -> None:
    """Writes the report as CSV, or as JSON with the figures over all rows."""
    entries = [asdict(entry) for entry in worst_first(metrics.categories)]
    try:
        with path.open("w", encoding="utf-8", newline="") as stream:
            if path.suffix.lower() == ".json":
                report = {
                    **metrics.headline(),
                    "unknown_categories": dict(unknown),
                    "categories": entries,
                }
                json.dump(report, stream, ensure_ascii=False, indent=2)
                stream.write("\n")
            else:
                writer = csv.DictWriter(stream, _COLUMNS)
                writer.writeheader()
                writer.writerows(entries)
    except OSError as error:
        raise OutputError(
            f"The report must be a file that can be written. Received {path}: "
            f"{error.strerror or error}. Check the folder and its permissions."
        ) from None
