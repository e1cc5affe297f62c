"""The intake: every row of the product files is kept in one split, or left out and counted.

The rules, in this order:

1. A row that cannot be read as its file is written is rejected. More than `data.max_rejects` of
   them stop the run.
2. No visible text in any field after the cleaning (`cleaning`), or no label: left out.
3. Ready splits: a text that several splits have stays in the most held-out one (test before val
   before train).
4. The same text (as `folding` sees it; with `data.near_duplicates: drop`, the same words) several
   times: the category that most of its rows have is kept, at a tie the one seen first, and of that
   category the first row. The others are left out, as duplicates or as conflicts. With
   `data.conflicts: drop` nothing is kept of a text that has several categories.
5. Rows of `all` or `train` go to val and test by the hash of their key, as far as those have no
   files of their own (`splitting`). The key is the value of the column `data.group` where the row
   has one; else what near duplicates share (`near`), or the folded text where those are off.
6. A category none of whose rows would then be in train gives train those rows that came from
   `all` or `train`. Such a category is not measured.
7. A row of ready val or test files whose category train does not have is left out.

So no text is in two splits (rule 4 keeps one row of it), and no group or set of near duplicates of
rows that are split here, unless rule 6 takes a category's rows out of it. Where both could be
asked for, the group wins: near duplicates in two groups may part.

An added row moves no other row, with these exceptions: the rows of a category that rule 6 kept
in train go where their hash says once one more row of it lands in train (out of train, never into
it); and a row that repeats a text changes that text's rows by rules 3 and 4. A row goes from test
to train in two cases alone: rules 3 or 4 took from its category the only text it had in train, or
rule 4 now keeps another row of its text, which is of another group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from prodcls_tf import progress
from prodcls_tf.data.decisions import REASONS, Verdict, decide
from prodcls_tf.data.files import stamp
from prodcls_tf.data.first_pass import REPORT_EVERY, FirstPass, changed
from prodcls_tf.data.notes import FileNotes, RowError, excerpt
from prodcls_tf.data.preparing import as_written
from prodcls_tf.data.reading import Row, read_file
from prodcls_tf.data.rejects import LeftOut
from prodcls_tf.data.report import IntakeReport
from prodcls_tf.errors import InputError
from prodcls_tf.features import SPLITS
from prodcls_tf.settings import DataSettings

# More categories than this, nearly all with one row, are no categories but names or numbers.
_MANY_CATEGORIES = 10
_NEARLY_ALL = 0.9


class Intake:
    """What `survey` decided: its report, and the rows with their splits.

    Attributes:
      report: what was kept and what was left out, and why.
      categories: the category paths that train has, sorted.
    """

    def __init__(
        self,
        settings: DataSettings,
        stamps: Mapping[Path, tuple[int, int]],
        order: Sequence[Path],
        verdicts: bytes,
        categories: list[str],
        report: IntakeReport,
    ):
        """Takes what `survey` found; use that to make one."""
        self.report = report
        self.categories = categories
        self._settings = settings
        self._stamps = dict(stamps)
        self._order = list(order)
        self._verdicts = verdicts

    def rows(
        self, left_out: Callable[[LeftOut], object] | None = None
    ) -> Iterator[tuple[str, Row]]:
        """Reads the files once more and yields the rows kept, in the order of the files.

        Args:
          left_out: is told of every other row, in the same order.

        Yields:
          The split, and the row with its texts cleaned and its category made comparable.

        Raises:
          InputError: a file has changed since the survey.
        """
        for path in self._order:
            self._check(path)
        tell = left_out or (lambda _: None)
        number, total = 0, len(self._verdicts)
        for path in self._order:
            self._check(path)
            notes = FileNotes(
                on_reject=lambda e: tell(LeftOut(str(e.path), e.line, e.reason, e.excerpt))
            )
            for row in read_file(path, self._settings, notes=notes):
                if number >= total:
                    raise changed(path)
                verdict = Verdict(self._verdicts[number])
                number += 1
                if verdict in REASONS:
                    shown = excerpt([*row.fields, row.category])
                    tell(LeftOut(row.file, row.line, REASONS[verdict], shown))
                else:
                    yield SPLITS[verdict], as_written(row, self._settings)[0]
                if not number % REPORT_EVERY:
                    progress.report("splitting products", done=number, total=total)
            self._check(path)
        if number != total:
            raise changed(self._order[-1])
        progress.report("splitting products", done=number, total=total)

    def _check(self, path: Path) -> None:
        if stamp(path) != self._stamps[path]:
            raise changed(path)


def survey(sources: Mapping[str, Sequence[Path]], settings: DataSettings) -> Intake:
    r"""Reads all files once and decides for every row whether and where it is kept.

    Memory: 38 bytes a row while it reads, about 150 for a moment while it decides, one byte a
    row afterwards (tests hold it to this); the texts themselves are never held.

    Args:
      sources: `{"all": files}`, to be split by the hash of the text; or ready splits under
        `train`, `val` and `test`. val and test may be missing: they are taken from train.
      settings: columns, separator, shares, how files are written, and what the rules ask for.

    Returns:
      The intake; its `rows()` makes the second pass.

    Raises:
      InputError: a file cannot be read, too many rows cannot, or what is left cannot be trained
        and measured on: one category only, a label column that looks like a name, or a split
        without a row.

    Example:
      >>> intake = survey({"all": find_files(["products.csv"])}, DataSettings())  # doctest: +SKIP
      >>> print(*intake.report.lines(), sep="\n")  # doctest: +SKIP
      1,312 rows read; kept: 1,040 train, 131 val, 137 test; 26 categories
      4 rows left out: repeated, same text and category (products.csv:88; ...)
    """
    _check_sources(sources)
    reader = FirstPass(settings)
    for name, files in sources.items():
        reader.read(list(files), SPLITS.index("train" if name == "all" else name))
    decisions = decide(reader.ledger, sources.keys(), settings)
    progress.report("reading products", done=len(reader.ledger), total=len(reader.ledger))
    report, categories = reader.report(decisions), reader.learned(decisions)
    _check_rejects(report, reader.rejects, settings.max_rejects)
    _check_usable(report, reader.order, categories, settings)
    return Intake(
        settings,
        reader.stamps,
        reader.order,
        decisions.verdict.tobytes(),
        categories,
        report,
    )


def _check_sources(sources: Mapping[str, Sequence[Path]]) -> None:
    names = set(sources)
    if names != {"all"} and not ("train" in names and names <= set(SPLITS)):
        raise InputError(
            "Product files are either split here (`all`) or come as ready splits: `train`, with "
            f"or without `val` and `test`. Received: {', '.join(sorted(names)) or 'none'}. "
            "Name the training files too."
        )


def _check_rejects(report: IntakeReport, first: Sequence[RowError], share: float) -> None:
    """Refuses files of which more rows than allowed cannot be read."""
    rejected = report.rejected.rows
    if rejected <= share * report.rows_read:
        return
    places = "".join(f"\n  {e.path}:{e.line} {e.reason}: {e.excerpt}" for e in first)
    more = "\n  ..." if rejected > len(first) else ""
    needed = math.ceil(rejected / report.rows_read * 1_000) / 1_000
    raise InputError(
        f"At most {share:.3%} of the rows may be unreadable (data.max_rejects). Received "
        f"{rejected:,} of {report.rows_read:,}:{places}{more}\nOf the first: {first[0]}\nMend the "
        f"rows or the export; or go on without them, with --set data.max_rejects={needed:g}"
    )


def _check_usable(
    report: IntakeReport,
    paths: Sequence[Path],
    categories: Sequence[str],
    settings: DataSettings,
) -> None:
    """Refuses rows that nothing can be learned from, or that leave a split empty."""
    found = "".join(f"\n  {sentence}" for sentence in report.findings())
    files = ", ".join(str(path) for path in paths[:3])
    files += ", ..." if len(paths) > 3 else ""
    label = f"the column {settings.label!r} of {files}"
    if not sum(report.kept.values()):
        raise InputError(
            f"There must be rows with a text and a category. Received {report.rows_read:,} rows "
            f"in {files}, of which none is left:{found}\nCheck the columns named with --text and "
            "--label."
        )
    if report.categories == 1:
        raise InputError(
            f"There must be at least two categories to tell apart. Received {categories[0]!r} "
            f"alone in {label}. Check --label, or add rows of other categories.{found}"
        )
    single = report.single_row.rows
    if report.categories > _MANY_CATEGORIES and single >= _NEARLY_ALL * report.categories:
        raise InputError(
            f"A category must have several rows to be learned. Received {report.categories:,} "
            f"categories in {label}, {single:,} of them with one row: it looks like a name or a "
            "number of the product. Name the column with the category with --label."
        )
    for split, rows in report.kept.items():
        if not rows:
            share = "" if split == "train" else f", a larger --set data.{split}_share"
            if report.near_duplicates.rows:
                share += ", --set data.near_duplicates=off (rows that are alike share a split)"
            raise InputError(
                f"Each split must have at least one row. Received none for {split} out of "
                f"{report.rows_read:,} rows in {files}. Use more rows{share}, or ready files "
                f"for it with --{split}.{found}"
            )
