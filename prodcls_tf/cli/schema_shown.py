"""Prints what rows were accepted as. Imports neither TensorFlow nor TFX."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from rich.text import Text
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline import accepted
from pipeline.accepted import Baseline, State
from pipeline.out_folder import OutFolder
from pipeline.schema_proto import allowed_categories, read_schema
from prodcls_tf.cli import terminal
from prodcls_tf.data.anomalies import Anomaly, AnomalyReport
from prodcls_tf.data.distances import measure_texts, percent
from prodcls_tf.errors import InputError, SettingsError
from prodcls_tf.features import CATEGORY
from prodcls_tf.settings import ChecksSettings, Settings

_SPLITS = ("train", "val", "test")


def checked(out: Path) -> Path:
    """Refuses a folder in which no run has come to the gate.

    Raises:
      InputError: it is no output folder, or has nothing accepted and nothing to accept.
    """
    folder = OutFolder(out.expanduser()).schema
    if accepted.newest(folder) is None and accepted.candidate(folder) is None:
        raise InputError(
            "A schema is accepted by the first run in an output folder. Received "
            f"{out}, which has none. Name the folder that `prodcls run --out` was given, or run "
            "there first."
        )
    return out


def show(out: Path, categories: bool) -> None:
    """Prints the accepted state, the thresholds, and what the last run found unusual.

    Args:
      out: the output folder.
      categories: whether all categories are listed.

    Raises:
      InputError: there is nothing to show.
      DataError: what was accepted cannot be read.
    """
    folder = OutFolder(checked(out).expanduser())
    state = accepted.newest(folder.schema)
    if state is None:
        terminal.out().print("\n  Nothing has been accepted yet.")
    else:
        _show_state(state, categories)
    _show_checks(last_settings(folder).checks)
    _show_anomalies(folder, out)


def last_settings(folder: OutFolder) -> Settings:
    """Returns the settings of the last run; the usual ones where these are lost."""
    try:
        return Settings.stored(folder.settings)
    except SettingsError:
        return Settings()


def show_accepted(state: State) -> None:
    """Prints what has just been accepted."""
    baseline, anomalies = state.baseline(), state.anomalies().anomalies
    terminal.heading(f"Accepted as {terminal.nearby(state.folder)}")
    terminal.out().print(Text(f"  {_rows(baseline)}"))
    for anomaly in anomalies:
        terminal.out().print(Text(f"  {anomaly.message}", "note"), soft_wrap=True)


def print_json(out: Path) -> None:
    """Prints `accepted` (or null), `checks`, `open` (or null) and `anomalies` of the last run."""
    folder = OutFolder(checked(out).expanduser())
    state = accepted.newest(folder.schema)
    stopped = accepted.candidate(folder.schema)
    values = {
        "accepted": None if state is None else _values(state),
        "checks": last_settings(folder).checks.model_dump(mode="json"),
        "open": None if stopped is None else _dumped(stopped.anomalies().anomalies),
        "anomalies": _dumped(_last(folder).anomalies),
    }
    shown = json.dumps(values, ensure_ascii=False, indent=2, default=str)
    terminal.out().print(Text(shown), soft_wrap=True)


def _values(state: State) -> dict[str, Any]:
    baseline, schema = state.baseline(), read_schema(state.schema)
    return {
        "state": state.number,
        "folder": str(state.folder),
        "edited": state.edited(),
        "categories": _category_rows(schema, baseline),
        **baseline.model_dump(mode="json", exclude={"schema_digest"}),
    }


def _dumped(anomalies: list[Anomaly]) -> list[dict[str, Any]]:
    return [anomaly.model_dump(mode="json") for anomaly in anomalies]


def _show_state(state: State, categories: bool) -> None:
    baseline, schema = state.baseline(), read_schema(state.schema)
    rows = _category_rows(schema, baseline)
    when = "-" if baseline.accepted is None else f"{baseline.accepted.astimezone():%Y-%m-%d %H:%M}"
    terminal.heading(f"Accepted schema {state.number}")
    facts = {
        "when": f"{when}, by {baseline.by}",
        "rows": _rows(baseline),
        "files": ", ".join(terminal.nearby(path) for path in _files(baseline)),
        "file": terminal.nearby(state.schema) + (", edited since" if state.edited() else ""),
    }
    for name, fact in facts.items():
        terminal.out().print(Text.assemble((f"  {name:<7}", "soft"), fact), soft_wrap=True)
    terminal.heading("Columns")
    table = terminal.table(
        "column", "type", "required", "empty", "median length", "languages", left=3
    )
    train = baseline.splits["train"]
    for feature in schema.feature:
        column = baseline.columns.get(feature.name, feature.name)
        texts = train.fields.get(column)
        if feature.name == CATEGORY:
            figures = ["", "", terminal.counted(len(rows), "category", "categories")]
        elif texts is None:
            figures = ["-", "-", "-"]
        else:
            # Measured against itself: what it is.
            measures = measure_texts(texts, texts)
            empty, length, languages = (measured.received for measured in measures)
            parts = [f"{name} {percent(share)}" for name, share in list(languages.items())[:2]]
            figures = [percent(empty), f"{length}", ", ".join(parts)]
        kind = schema_pb2.FeatureType.Name(feature.type)
        required = "yes" if feature.presence.min_fraction == 1 else "no"
        table.add_row(Text(column), kind.lower(), required, *map(Text, figures))
    terminal.show(table)
    if categories:
        _show_categories(rows)


def _show_categories(rows: Mapping[str, Optional[int]]) -> None:
    terminal.heading("Categories")
    table = terminal.table("category", "rows")
    for path, count in rows.items():
        table.add_row(Text(path), "-" if count is None else f"{count:,}")
    terminal.show(table)


def _show_checks(checks: ChecksSettings) -> None:
    terminal.heading("What stops a run")
    table = terminal.table("", "", "", left=3)
    table.show_header = False
    for name, field in ChecksSettings.model_fields.items():
        value = getattr(checks, name)
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        table.add_row(Text(f"checks.{name}"), Text(shown), Text(field.description or "", "soft"))
    terminal.show(table)


def _show_anomalies(folder: OutFolder, out: Path) -> None:
    stopped = accepted.candidate(folder.schema)
    report = _last(folder) if stopped is None else stopped.anomalies()
    if stopped is not None:
        terminal.heading("The last run was stopped")
        for anomaly in report.stopping:
            terminal.out().print(Text(f"  ✗ {anomaly.message}", "bad"), soft_wrap=True)
    for anomaly in report.notes:
        terminal.note(anomaly.message)
    if stopped is not None:
        command = f"{terminal.program()} schema accept --out {shlex.quote(str(out))}"
        terminal.next_steps([("if this is meant: accept it, and run again", command)])


def _last(folder: OutFolder) -> AnomalyReport:
    """What the last run that came through found; nothing where that is not known."""
    try:
        return AnomalyReport.model_validate_json(folder.anomalies.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return AnomalyReport()


def _category_rows(schema: schema_pb2.Schema, baseline: Baseline) -> dict[str, Optional[int]]:
    """Rows by category, those of the schema; None for one that a person has added."""
    rows: dict[str, int] = {}
    for profile in baseline.splits.values():
        for path, count in profile.categories.items():
            rows[path] = rows.get(path, 0) + count
    allowed = allowed_categories(schema)
    return {path: rows.get(path) for path in sorted(rows if allowed is None else allowed)}


def _rows(baseline: Baseline) -> str:
    kept = {split: baseline.splits[split].rows for split in _SPLITS if split in baseline.splits}
    return ", ".join(f"{rows:,} {split}" for split, rows in kept.items())


def _files(baseline: Baseline) -> list[str]:
    return [path for paths in baseline.files.values() for path in paths]
