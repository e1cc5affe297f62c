"""Prints what a search for settings came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from prodcls_tf.cli import terminal
from prodcls_tf.tuning.results import DEFAULTS, Search, Tried, is_repetition

_MOST = 12
FIGURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted-F1",
    "top3_accuracy": "top-3 accuracy",
}


def show_search(found: Search) -> None:
    """Prints the trials, the best first, and the settings that won.

    Args:
      found: what the search came to.
    """
    trials = [tried for tried in found.trials if not is_repetition(tried.number)]
    done = [tried for tried in trials if tried.result.metrics]
    best = sorted(done, key=lambda tried: -tried.result.metrics[found.objective])
    rows = terminal.counted(found.rows, "validation row")
    title = f"The best of {len(trials)} trials" if len(best) > _MOST else "Trials, the best first"
    terminal.heading(f"{title}, on {rows}")
    shown = list(dict.fromkeys([found.objective, "macro_f1", "accuracy"]))
    table = terminal.table("trial", *(FIGURES[name] for name in shown), "took", "")
    table.columns[-1].justify = "left"
    for tried in best[:_MOST]:
        table.add_row(*_line(tried, found, shown))
    terminal.show(table)
    _show_failures(trials)
    _show_best(found)


def show_found(hparams: dict[str, Any]) -> None:
    """Prints the settings that a run took from a search.

    Args:
      hparams: by name; empty where no other settings were better.
    """
    terminal.heading("Settings found")
    if not hparams:
        terminal.out().print("  none better than those that were given")
        return
    table = terminal.table("", "", left=2)
    table.show_header = False
    for name, value in sorted(hparams.items()):
        table.add_row(Text(name), Text(_short(value)))
    terminal.show(table)


def _line(tried: Tried, found: Search, shown: Sequence[str]) -> list[Text]:
    metrics, won = tried.result.metrics, tried.number == found.number
    style = "good" if won else ""
    remark = "the settings as they are" if tried.number == DEFAULTS else ""
    if tried.result.status == "pruned":
        remark = "stopped early"
    return [
        Text(tried.number, style),
        *(Text(f"{metrics[name]:.4f}", style) for name in shown),
        Text(terminal.seconds(tried.result.seconds), "soft"),
        Text(f"{remark}, best" if won and remark else "best" if won else remark, "soft"),
    ]


def _show_failures(trials: Sequence[Tried]) -> None:
    failed = [tried for tried in trials if tried.result.status == "failed"]
    for tried in failed[:3]:
        terminal.note(f"trial {tried.number} failed: {tried.result.reason}")
    if len(failed) > 3:
        terminal.note(f"{len(failed) - 3} more trials failed, see search.json")


def _show_best(found: Search) -> None:
    show_found(found.best)
    if found.best:
        before, after, seeds = found.gain()
        over = f"mean of {seeds} seeds" if seeds > 1 else "with one seed"
        terminal.out().print(
            f"  [soft]{FIGURES[found.objective]} {before:.4f} → {after:.4f}, {over}[/soft]"
        )
    if found.time_is_over:
        terminal.note("the time is used up before all trials were; more --max-minutes go on")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
