"""Compares products that a model is asked about with the rows that were accepted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from rich.text import Text

from pipeline import accepted
from pipeline.out_folder import OutFolder
from prodcls_tf.cli import terminal
from prodcls_tf.cli.classify import asked_columns
from prodcls_tf.cli.found import find_files
from prodcls_tf.cli.schema_shown import checked, last_settings
from prodcls_tf.data.anomalies import Anomaly
from prodcls_tf.data.comparing import TRAIN
from prodcls_tf.data.detecting import AUTO
from prodcls_tf.data.drift import profile_files, serving_skew
from prodcls_tf.data.profile import FieldProfile, Profile
from prodcls_tf.data.reading import no_rows
from prodcls_tf.errors import InputError
from prodcls_tf.features import CATEGORY
from prodcls_tf.settings import DataSettings


class Compared(NamedTuple):
    """What products are like beside the accepted rows.

    Attributes:
      against: number of the accepted state.
      accepted: its rows to learn from.
      rows: products that were compared.
      rejected: products that could not be read.
      labelled: products with a category.
      anomalies: in what the products are unlike, the worst first.
    """

    against: int
    accepted: int
    rows: int
    rejected: int
    labelled: int
    anomalies: list[Anomaly]


def compare(
    out: Path,
    files: Sequence[Path],
    text: Optional[Sequence[str]],
    label: Optional[str],
    encoding: Optional[str],
) -> Compared:
    """Compares products with the accepted rows to learn from.

    Args:
      out: the output folder.
      files: the products.
      text: their text columns, if not called as those of the run.
      label: a column with categories to compare, too; None for none.
      encoding: of the files; None to find it out.

    Returns:
      What came of it, by the thresholds of the last run.

    Raises:
      InputError: nothing was accepted yet, or the files cannot be compared.
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
    if label is not None and label in (text or columns):
        raise InputError(
            f"A column holds either texts or categories. Received {label!r} for both. Name the "
            "column of the categories with --label, or leave that out."
        )
    # Another program wrote these files than those of the run.
    usual = settings.data.model_copy(update={"encoding": AUTO, "delimiter": AUTO})
    data = asked_columns(columns, usual, text, encoding, label)
    rejected: Counter[str] = Counter()
    with terminal.busy("reading the products"):
        served = profile_files(
            found, data, label is not None, lambda error: rejected.update([str(error.path)])
        )
    rows = _rows(served)
    _check_readable(rows, rejected, data)
    if not rows:
        raise no_rows(found)
    if label is not None and not served.rows:
        raise InputError(
            f"Categories to compare must be there. Received {terminal.counted(rows)} without one "
            f"in the column {label!r}. Name another column with --label, or leave that out."
        )
    served.fields = dict(zip(columns, (served.fields[name] for name in data.text), strict=True))
    train, labelled = baseline.splits[TRAIN], label is not None
    anomalies = serving_skew(
        served, train, settings.model_copy(update={"data": data}), labelled=labelled
    )
    return Compared(
        state.number, train.rows, rows, rejected.total(), served.rows if labelled else 0, anomalies
    )


def show(compared: Compared) -> None:
    """Prints what came of it."""
    labelled = f" ({compared.labelled:,} with a category)" if compared.labelled else ""
    terminal.heading(
        f"{terminal.counted(compared.rows, 'product')}{labelled} beside "
        f"{terminal.counted(compared.accepted)} accepted to learn from"
    )
    if compared.rejected:
        terminal.note(f"{terminal.counted(compared.rejected)} could not be read")
    for anomaly in compared.anomalies:
        mark, style = ("✗", "bad") if anomaly.stops else ("-", "note")
        terminal.out().print(Text(f"  {mark} {anomaly.message}", style), soft_wrap=True)
    if not compared.anomalies:
        terminal.out().print("  They are alike.")


def print_json(compared: Compared) -> None:
    """Prints the attributes of `Compared`."""
    anomalies = [anomaly.model_dump(mode="json") for anomaly in compared.anomalies]
    values = {**compared._asdict(), "anomalies": anomalies}
    terminal.out().print(Text(json.dumps(values, ensure_ascii=False, indent=2)), soft_wrap=True)


def _rows(profile: Profile) -> int:
    first = next(iter(profile.fields.values()), FieldProfile())
    return first.empty + first.filled


def _check_readable(rows: int, rejected: Counter[str], settings: DataSettings) -> None:
    """Refuses to judge files by what little of them can be read, as intake does."""
    share = rejected.total() / max(1, rows + rejected.total())
    if share > settings.max_rejects:
        worst, count = rejected.most_common(1)[0]
        raise InputError(
            f"At most {settings.max_rejects:.3%} of the rows may be unreadable (data.max_rejects). "
            f"Received {share:.3%}, {count:,} of them in {worst}. Mend the file, or name its "
            "encoding with --encoding."
        )
