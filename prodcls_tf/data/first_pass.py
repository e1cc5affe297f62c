"""The first pass over the product files: what is remembered of every row, and the report on it."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prodcls_tf import progress
from prodcls_tf.data.decisions import Decisions, Ledger, Verdict, alike
from prodcls_tf.data.files import stamp
from prodcls_tf.data.folding import is_blank
from prodcls_tf.data.notes import FileNotes, RowError
from prodcls_tf.data.preparing import prepare
from prodcls_tf.data.reading import Row, no_rows, read_file
from prodcls_tf.data.report import EXAMPLES, FileReport, Finding, IntakeReport
from prodcls_tf.errors import InputError
from prodcls_tf.features import SPLITS
from prodcls_tf.settings import DataSettings

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

# Progress is reported every so many rows.
REPORT_EVERY = 5_000


class FirstPass:
    """Reads files into a ledger, and finds the places of its rows again.

    Attributes:
      ledger: what is remembered of every row read so far.
      numbers: the number of each category, in the order in which they first appeared.
      stamps: size and time of change of each file when it was read.
      order: the files in the order in which they were read.
      rejects: the first rows that could not be read.
    """

    def __init__(self, settings: DataSettings):
        """Starts with nothing read."""
        self.ledger = Ledger()
        self.numbers: dict[str, int] = {}
        self.stamps: dict[Path, tuple[int, int]] = {}
        self.order: list[Path] = []
        self._ends: list[int] = []
        self.rejects: list[RowError] = []
        self._files: list[FileReport] = []
        self._rejected, self._mended = Finding(), Finding()
        self._cleaned, self._gaps = Finding(), Finding()
        self._settings = settings

    def read(self, files: list[Path], source: int) -> None:
        """Adds the rows of files that were given for one split.

        Raises:
          InputError: a file cannot be read as it is, or none of them has a row.
        """
        before = self._rows_read
        for path in files:
            now = stamp(path)
            if self.stamps.setdefault(path, now) != now:
                raise changed(path)
            self._read(path, source)
        if self._rows_read == before:
            raise no_rows(files)

    @property
    def _rows_read(self) -> int:
        return len(self.ledger) + self._rejected.rows

    def _read(self, path: Path, source: int) -> None:
        rows, rejected = len(self.ledger), self._rejected.rows
        notes = FileNotes(on_reject=self._reject)
        for row in read_file(path, self._settings, notes=notes):
            self._add(row, source)
            if not len(self.ledger) % REPORT_EVERY:
                progress.report("reading products", done=len(self.ledger))
        self.order.append(path)
        self._ends.append(len(self.ledger))
        rejected = self._rejected.rows - rejected
        self._files.append(
            FileReport(
                file=str(path),
                rows=len(self.ledger) - rows + rejected,
                rejected=rejected,
                encoding=notes.encoding,
                delimiter=notes.delimiter,
            )
        )
        self._mended.rows += notes.mended
        room = EXAMPLES - len(self._mended.examples)
        self._mended.examples += [f"{path}:{line}" for line in notes.first_mended[:room]]

    def _reject(self, error: RowError) -> None:
        _count(self._rejected, f"{error.path}:{error.line} {error.reason}")
        if len(self.rejects) < EXAMPLES:
            self.rejects.append(error)

    def _add(self, row: Row, source: int) -> None:
        prepared = prepare(row, self._settings)
        if prepared.cleaned:
            _count(self._cleaned, row.place)
        verdict = Verdict.TRAIN
        if is_blank(prepared.folded):
            verdict = Verdict.EMPTY_TEXT
        elif not prepared.row.category:
            verdict = Verdict.EMPTY_LABEL
        elif prepared.gaps:
            _count(self._gaps, f"{row.place} {row.category.strip()!r}")
        number = -1
        if verdict is Verdict.TRAIN:
            number = self.numbers.setdefault(prepared.row.category, len(self.numbers))
        self.ledger.add(prepared.same, prepared.key, number, source, row.line, verdict)

    def report(self, decisions: Decisions) -> IntakeReport:
        """Counts the decisions and names examples."""
        import numpy as np

        names = list(self.numbers)
        rivals = iter(decisions.rivals[:EXAMPLES])

        def category(row: int) -> str:
            return repr(names[self.ledger.category[row]])

        def conflict(row: int) -> str:
            rival = next(rivals, None)
            if rival is None:
                return category(row)
            return f"{category(row)}, kept {self._place(int(rival))} {category(int(rival))}"

        def left_out(verdict: Verdict, remark: Callable[[int], str] | None = None) -> Finding:
            return self._finding(np.flatnonzero(decisions.verdict == verdict), remark)

        # Rule 5 moves single rows too; they are reported as such and not twice.
        moved = np.setdiff1d(decisions.moved, decisions.single)
        counts = np.bincount(decisions.verdict, minlength=len(Verdict))
        return IntakeReport(
            rows_read=self._rows_read,
            kept={split: int(counts[number]) for number, split in enumerate(SPLITS)},
            categories=len(self.learned(decisions)),
            files=self._files,
            rejected=self._rejected,
            empty_text=left_out(Verdict.EMPTY_TEXT),
            empty_label=left_out(Verdict.EMPTY_LABEL),
            duplicates=left_out(Verdict.DUPLICATE),
            conflicts=left_out(Verdict.CONFLICT, conflict),
            cross_split=left_out(Verdict.CROSS_SPLIT),
            unknown_category=left_out(Verdict.UNKNOWN_CATEGORY, category),
            mended=self._mended,
            cleaned=self._cleaned,
            near_duplicates=self._near(decisions),
            empty_levels=self._gaps,
            single_row=self._finding(
                decisions.single[decisions.verdict[decisions.single] == Verdict.TRAIN], category
            ),
            moved_to_train=self._finding(moved, category),
        )

    def _near(self, decisions: Decisions) -> Finding:
        """Near duplicates, as far as they count: a group column says in their place what does."""
        if self._settings.group or self._settings.near_duplicates == "off":
            return Finding()
        return self._finding(alike(self.ledger, decisions.verdict), None)

    def learned(self, decisions: Decisions) -> list[str]:
        """The categories that train has, sorted."""
        import numpy as np

        numbers = np.array(self.ledger.category)[decisions.verdict == Verdict.TRAIN]
        names = list(self.numbers)
        return sorted(names[number] for number in np.unique(numbers))

    def _finding(self, rows: Array, remark: Callable[[int], str] | None) -> Finding:
        examples = [
            f"{self._place(row)} {remark(row)}" if remark else self._place(row)
            for row in map(int, rows[:EXAMPLES])
        ]
        return Finding(rows=len(rows), examples=examples)

    def _place(self, row: int) -> str:
        return f"{self.order[bisect.bisect_right(self._ends, row)]}:{self.ledger.line[row]}"


def _count(finding: Finding, example: str) -> None:
    finding.rows += 1
    if len(finding.examples) < EXAMPLES:
        finding.examples.append(example)


def changed(path: Path) -> InputError:
    """The error for a file that is no longer what it was."""
    return InputError(
        f"{path}: A product file must stay the same during a run. Received other contents than "
        "when it was first read. Run again when the file is complete."
    )
