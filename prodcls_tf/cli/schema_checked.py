"""Compares products that a model is asked about with the rows that were accepted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from rich.text import Text

from pipeline import accepted
from pipeline.out_folder import OutFolder
from prodcls_tf.cli import terminal
from prodcls_tf.cli.classify import asked_columns
from prodcls_tf.cli.schema_shown import checked, last_settings
from prodcls_tf.data.comparing import TRAIN
from prodcls_tf.data.drift import profile_files, serving_skew
from prodcls_tf.data.files import find_files
from prodcls_tf.data.reading import no_rows
from prodcls_tf.errors import InputError
from prodcls_tf.features import CATEGORY


def check(
    out: Path,
    files: Sequence[Path],
    text: Optional[Sequence[str]],
    label: Optional[str],
    as_json: bool,
) -> bool:
    """Prints in what the products are not like the rows that the accepted schema was taken from.

    Args:
      out: the output folder.
      files: the products.
      text: their text columns, if not called as those of the run.
      label: a column with categories to compare, too; None for none.
      as_json: whether to print `against`, `rows` and `anomalies` for programs.

    Returns:
      Whether all of it is within the thresholds.

    Raises:
      InputError: nothing was accepted yet, or the files cannot be read.
      DataError: what was accepted cannot be read.
    """
    folder = OutFolder(checked(out).expanduser())
    state = accepted.newest(folder.schema)
    if state is None:
        raise InputError(
            f"Products are compared with accepted rows. Received {out}, where none are. Run "
            "`prodcls schema accept` for those of the stopped run first."
        )
    settings, baseline, found = last_settings(folder), state.baseline(), find_files(files)
    columns = [column for name, column in baseline.columns.items() if name != CATEGORY]
    data = asked_columns(columns, settings.data, text, None, label)
    with terminal.busy("reading the products"):
        served = profile_files(found, data, labelled=label is not None)
    if not served.fields:
        raise no_rows(found)
    served.fields = dict(zip(columns, (served.fields[name] for name in data.text), strict=True))
    train = baseline.splits[TRAIN]
    anomalies = serving_skew(
        served, train, settings.model_copy(update={"data": data}), labelled=label is not None
    )
    title = served.fields[columns[0]]
    rows = title.empty + title.filled
    if as_json:
        values = {
            "against": state.number,
            "rows": rows,
            "anomalies": [anomaly.model_dump(mode="json") for anomaly in anomalies],
        }
        terminal.out().print(Text(json.dumps(values, ensure_ascii=False, indent=2)), soft_wrap=True)
    else:
        terminal.heading(
            f"{terminal.counted(rows, 'product')} beside {terminal.counted(train.rows)} of train"
        )
        for anomaly in anomalies:
            mark, style = ("✗", "bad") if anomaly.stops else ("-", "note")
            terminal.out().print(Text(f"  {mark} {anomaly.message}", style), soft_wrap=True)
        if not anomalies:
            terminal.out().print("  They are alike.")
    return not any(anomaly.stops for anomaly in anomalies)
