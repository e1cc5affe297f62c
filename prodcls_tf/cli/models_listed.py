"""Prints the versions of a pushed model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.text import Text

from prodcls_tf.cli import terminal
from prodcls_tf.errors import ModelError
from prodcls_tf.release.kept import KeptVersion, kept_versions
from prodcls_tf.release.order import Order, config_file, read_order


def show_versions(base: Path, *, as_json: bool) -> None:
    """Prints a model's versions, newest first.

    Args:
      base: folder of the versions.
      as_json: for programs; else a table.

    Raises:
      SettingsError: `models.config` cannot be read.
      ModelError: the folder cannot be read.
    """
    order = read_order(base)
    try:
        versions = kept_versions(base)
    except OSError as error:
        raise ModelError(
            f"A model's folder must be one that can be read. Received {base}: {error}. Check who "
            "may."
        ) from None
    wanted = order.wanted(version.number for version in versions if not version.missing)
    if as_json:
        _print_json(base, order, versions, wanted)
    else:
        _print_table(base, order, versions, wanted)


def _print_json(base: Path, order: Order, versions: list[KeptVersion], wanted: list[int]) -> None:
    file = config_file(base)
    values = {
        "model": base.name,
        "folder": str(base),
        "config": str(file) if file.is_file() else None,
        "follows_newest": order.follows,
        "labels": dict(order.labels),
        "versions": [
            {
                "version": version.number,
                "folder": str(version.folder),
                "pushed": version.pushed.isoformat(),
                "size": version.size,
                "missing": list(version.missing),
                "splits": version.figures,
                "labels": _labels(order, version),
                "served": version.number in wanted,
                "serves": version.number in wanted[:1],
            }
            for version in versions
        ],
    }
    terminal.out().print(Text(json.dumps(values, ensure_ascii=False, indent=2)), soft_wrap=True)


def _print_table(base: Path, order: Order, versions: list[KeptVersion], wanted: list[int]) -> None:
    terminal.heading(f"Versions of {base.name} on held-out rows, newest first")
    table = terminal.table("version", "pushed", "size", "accuracy", "macro-F1", "label", "")
    for column, justify in zip(table.columns, "llrrrll", strict=True):
        column.justify = "left" if justify == "l" else "right"
    for version in versions:
        test = version.figures.get("test", {})
        table.add_row(
            str(version.number),
            f"{version.pushed.astimezone():%Y-%m-%d %H:%M}",
            f"{version.size / 1e6:,.1f} MB",
            _figure(test.get("accuracy")),
            _figure(test.get("macro_f1")),
            Text(", ".join(_labels(order, version))),
            _state(version, wanted),
        )
    terminal.show(table)
    for version in versions:
        if version.missing:
            terminal.note(f"version {version.number} lacks {', '.join(version.missing[:3])}")
    lost = sorted(order.named.difference(version.number for version in versions))
    if lost:
        terminal.note(
            f"{terminal.nearby(config_file(base))} asks for version {', '.join(map(str, lost))}, "
            "which is not there: promote another one"
        )
    if not order.follows and versions and versions[0].number not in order.named:
        terminal.note("newer versions than those that serve wait to be promoted")


def _state(version: KeptVersion, wanted: list[int]) -> Text:
    if version.missing:
        return Text("incomplete", "bad")
    if version.number not in wanted:
        return Text("")
    return Text("serves", "good") if version.number == wanted[0] else Text("is served, too")


def _labels(order: Order, version: KeptVersion) -> list[str]:
    return sorted(label for label, number in order.labels.items() if number == version.number)


def _figure(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-"
