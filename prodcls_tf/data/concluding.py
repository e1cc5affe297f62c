"""Between the two passes: all parts are decided at once, and the report is made."""

from __future__ import annotations

import bisect
import itertools
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from prodcls_tf.data.deciding import Decisions, decide
from prodcls_tf.data.first_pass import Reject, Surveyed, ledger_file, verdict_file
from prodcls_tf.data.ledger import Run
from prodcls_tf.data.placing import Memory
from prodcls_tf.data.reading import no_rows
from prodcls_tf.data.report import EXAMPLES, FileReport, Finding, IntakeReport
from prodcls_tf.errors import InputError, RejectsError
from prodcls_tf.features import SPLITS
from prodcls_tf.settings import DataSettings

# More categories than this, nearly all with one row, are no categories but names or numbers.
_MANY_CATEGORIES = 10
_NEARLY_ALL = 0.9


class Conclusion(NamedTuple):
    """What became of all rows.

    Attributes:
      report: what was kept and what was left out, and why.
      categories: the category paths that train has, sorted.
      places: where the first row that is kept of each category stands, `file:line`.
    """

    report: IntakeReport
    categories: list[str]
    places: dict[str, str]


def conclude(
    surveyed: Sequence[Surveyed],
    sources: Mapping[str, Sequence[Path]],
    settings: DataSettings,
    work: Path,
    memory: Optional[Memory] = None,
) -> Conclusion:
    """Decides about all rows; the verdict files of the parts get the verdicts.

    Args:
      surveyed: the parts as the first pass left them, in their order.
      sources: the files that they are parts of.
      settings: as in the first pass.
      work: the folder of ledgers and verdicts.
      memory: the splits that earlier runs have left, and where these are left; None for no memory.

    Returns:
      What became of the rows.

    Raises:
      InputError: there is no row at all.
      DataError: the former splits cannot be read.
    """
    for name, files in sources.items():
        source = SPLITS.index("train" if name == "all" else name)
        if not any(_rows(found) for found in surveyed if found.part.source == source):
            raise no_rows(list(files))
    decisions = _decide(surveyed, sources, settings, work, memory)
    return Conclusion(_report(surveyed, decisions), decisions.categories, decisions.places)


def check_usable(
    conclusion: Conclusion, surveyed: Sequence[Surveyed], settings: DataSettings
) -> None:
    """Refuses rows that cannot be trained and measured on.

    Args:
      conclusion: what became of them.
      surveyed: as `conclude` took it.
      settings: as in the first pass.

    Raises:
      RejectsError: too many rows cannot be read.
      InputError: nothing can be learned from what is left.
    """
    report, categories, _ = conclusion
    rejects = itertools.chain.from_iterable(found.rejects for found in surveyed)
    _check_rejects(report, list(itertools.islice(rejects, EXAMPLES)), settings.max_rejects)
    files = list(dict.fromkeys(found.part.path for found in surveyed))
    _check_learnable(report, files, categories, settings)


def _rows(found: Surveyed) -> int:
    return found.rows + found.findings["rejected"].rows


def _decide(
    surveyed: Sequence[Surveyed],
    sources: Mapping[str, Sequence[Path]],
    settings: DataSettings,
    work: Path,
    memory: Optional[Memory],
) -> Decisions:
    names: dict[str, int] = {}
    firsts, runs, first = [], [], 0
    for found in surveyed:
        for name in found.categories:
            names.setdefault(name, len(names))
        numbers = np.array([names[name] for name in found.categories], np.int32)
        ends = list(itertools.accumulate(found.runs, initial=0))
        path = ledger_file(work, found.part)
        runs += [Run(path, *both, first, numbers) for both in itertools.pairwise(ends)]
        firsts.append(first)
        first += found.rows

    def place(row: int, line: int) -> str:
        return f"{surveyed[bisect.bisect_right(firsts, row) - 1].part.path}:{line}"

    verdicts = work / "all.verdicts"
    own = [verdict_file(work, found.part) for found in surveyed]
    with verdicts.open("wb") as together:
        for path in own:
            with path.open("rb") as stream:
                shutil.copyfileobj(stream, together)
    decisions = decide(runs, verdicts, list(names), place, sources.keys(), settings, memory)
    with verdicts.open("rb") as decided:
        for path, found in zip(own, surveyed, strict=True):
            path.write_bytes(decided.read(found.rows))
    return decisions


def _report(surveyed: Sequence[Surveyed], decisions: Decisions) -> IntakeReport:
    found: dict[str, Finding] = {
        name: sum((part.findings[name] for part in surveyed), Finding())
        for name in surveyed[0].findings
    }
    files = _files(surveyed)
    return IntakeReport(
        rows_read=sum(map(_rows, surveyed)),
        kept=dict(zip(SPLITS, decisions.rows, strict=False)),
        categories=len(decisions.categories),
        files=files,
        byte_order_marks=sum(file.byte_order_mark for file in files),
        **found,
        **decisions.findings,
    )


def _files(surveyed: Sequence[Surveyed]) -> list[FileReport]:
    reports = []
    for path, parts in itertools.groupby(surveyed, lambda found: found.part.path):
        of_file = list(parts)
        reports.append(
            FileReport(
                file=str(path),
                rows=sum(map(_rows, of_file)),
                rejected=sum(found.findings["rejected"].rows for found in of_file),
                encoding=of_file[0].part.encoding,
                delimiter=of_file[0].part.delimiter,
                byte_order_mark=of_file[0].part.marked,
            )
        )
    return reports


def _check_rejects(report: IntakeReport, first: Sequence[Reject], share: float) -> None:
    """Refuses files of which more rows than allowed cannot be read."""
    rejected = report.rejected.rows
    if rejected <= share * report.rows_read:
        return
    places = "".join(f"\n  {reject.line}" for reject in first)
    more = "\n  ..." if rejected > len(first) else ""
    needed = math.ceil(rejected / report.rows_read * 1_000) / 1_000
    raise RejectsError(
        f"At most {share:.3%} of the rows may be unreadable (data.max_rejects). Received "
        f"{rejected:,} of {report.rows_read:,}:{places}{more}\nOf the first: "
        f"{first[0].message}\nMend the rows or the export; or go on without them, with --set "
        f"data.max_rejects={needed:g}"
    )


def _check_learnable(
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
