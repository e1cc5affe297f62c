"""The first pass over a part: what is remembered of its rows, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from prodcls_tf.data.decisions import Verdict
from prodcls_tf.data.folding import is_blank
from prodcls_tf.data.ledger import LedgerWriter
from prodcls_tf.data.notes import FileNotes, RowError
from prodcls_tf.data.parts import Part
from prodcls_tf.data.preparing import prepare
from prodcls_tf.data.report import EXAMPLES, Finding
from prodcls_tf.settings import DataSettings

# What the pass is called where progress is shown.
READING = "reading products"

# What the report says of single rows, by the names of its fields.
_FINDINGS = (
    "rejected", "mended", "replaced", "cleaned", "empty_text", "empty_label", "empty_levels"
)  # fmt: skip


class Reject(NamedTuple):
    """A row that cannot be read, for the message that stops at too many of them.

    Attributes:
      line: where and what it is.
      message: what is wrong, and what to do.
    """

    line: str
    message: str


@dataclass
class Surveyed:
    """What was found in a part; plain values, which go from one process to another.

    Attributes:
      part: the part.
      rows: rows that could be read.
      runs: records in each run of its ledger.
      categories: by number, in the order in which they first appeared.
      rejects: the first rows that could not be read.
      findings: by their names in `report.IntakeReport`.
    """

    part: Part
    rows: int = 0
    runs: list[int] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    findings: dict[str, Finding] = field(
        default_factory=lambda: {name: Finding() for name in _FINDINGS}
    )


def ledger_file(work: Path, part: Part) -> Path:
    """The records of a part's rows that are still to be decided."""
    return work / f"{part.number:05d}.ledger"


def verdict_file(work: Path, part: Part) -> Path:
    """A byte for each row of a part that could be read."""
    return work / f"{part.number:05d}.verdicts"


def survey_part(
    part: Part, settings: DataSettings, work: Path, count: Callable[[], None]
) -> Surveyed:
    """Reads a part, and writes down in files what is remembered of its rows.

    Args:
      part: from `parts.plan`.
      settings: as for `intake.survey`.
      work: the folder of these files.
      count: told of each row that could be read.

    Returns:
      What was found.

    Raises:
      InputError: the file cannot be read as it is, or has changed.
    """
    found = Surveyed(part)
    ledger = LedgerWriter(ledger_file(work, part), part.source)
    numbers: dict[str, int] = {}
    findings = found.findings

    def reject(error: RowError) -> None:
        place = f"{error.path}:{error.line} {error.reason}"
        findings["rejected"].count(place)
        if len(found.rejects) < EXAMPLES:
            found.rejects.append(Reject(f"{place}: {error.excerpt}", str(error)))

    notes = FileNotes(on_reject=reject)
    with verdict_file(work, part).open("wb") as verdicts:
        for number, row in enumerate(part.rows(settings, notes)):
            prepared = prepare(row, settings)
            category, verdict = prepared.row.category, Verdict.TRAIN
            if prepared.cleaned:
                findings["cleaned"].count(row.place)
            if is_blank(prepared.folded):
                verdict = Verdict.EMPTY_TEXT
                findings["empty_text"].count(row.place)
            elif not category:
                verdict = Verdict.EMPTY_LABEL
                findings["empty_label"].count(row.place)
            else:
                if prepared.gaps:
                    findings["empty_levels"].count(f"{row.place} {row.category.strip()!r}")
                known = numbers.setdefault(category, len(numbers))
                ledger.add(number, prepared.same, prepared.key, known, row.line)
            verdicts.write(_BYTES[verdict])
            found.rows += 1
            count()
    ledger.flush()
    found.runs, found.categories = ledger.runs, list(numbers)
    findings.update(mended=notes.mended, replaced=notes.replaced)
    return found


_BYTES = {verdict: bytes([verdict]) for verdict in Verdict}
