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
5. Rows of `all` or `train` go to val and test by their key, as far as those have no files of their
   own. The key is the value of the column `data.group` where the row has one; else what near
   duplicates share (`near`), or the folded text where those are off. A key stays in the split that
   an earlier run gave it (`placements`), but for rule 6. Of the new keys of a category, that of a
   key's first row, so many go to test and to val as their shares lack (`shares`), chosen by the
   key's digest.
6. A category none of whose rows would then be in train gives train all its keys but those that an
   earlier run has tested on, and is not measured.
7. A row whose category train does not have even so is left out.

So no text is in two splits (rule 4 keeps one row of it), and no group or set of near duplicates of
rows that are split here. Where both could be asked for, the group wins: near duplicates in two
groups may part.

An added row moves no other one from test to train while the splits are remembered: the pipeline
does so in its output folder, `survey` in the folder it is given. There are two exceptions: of a
text that is repeated, rule 4 may keep another row, with another key; and a key that was not there
for many runs (`placements.KEPT_RUNS`) is forgotten.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from prodcls_tf.data.concluding import check_usable, conclude
from prodcls_tf.data.first_pass import READING, survey_part, verdict_file
from prodcls_tf.data.parts import Part, plan
from prodcls_tf.data.placements import check, remember
from prodcls_tf.data.placing import Memory
from prodcls_tf.data.reading import Row
from prodcls_tf.data.rejects import LeftOut
from prodcls_tf.data.report import IntakeReport
from prodcls_tf.data.second_pass import SPLITTING, kept_rows
from prodcls_tf.progress import Counter, report
from prodcls_tf.settings import DataSettings


class Intake:
    """What `survey` decided: its report, and the rows with their splits.

    Attributes:
      report: what was kept and what was left out, and why.
      categories: the category paths that train has, sorted.
    """

    def __init__(
        self,
        settings: DataSettings,
        parts: Mapping[Part, bytes],
        categories: list[str],
        report: IntakeReport,
    ):
        """Takes what `survey` found; use that to make one."""
        self.report = report
        self.categories = categories
        self._settings = settings
        self._parts = dict(parts)

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
        for part in self._parts:
            part.check()
        total = sum(map(len, self._parts.values()))
        count = Counter(SPLITTING, total)
        for part, verdicts in self._parts.items():
            tell = left_out or (lambda _: None)
            yield from kept_rows(part, verdicts, self._settings, tell, count)
        report(SPLITTING, done=total, total=total)


def survey(
    sources: Mapping[str, Sequence[Path]], settings: DataSettings, splits: Path | None = None
) -> Intake:
    r"""Reads all files once and decides for every row whether and where it is kept.

    One part of the files after the other, in this process; the pipeline's first step does the same
    with workers side by side. What is remembered of the rows meanwhile, 46 bytes of each and as
    much again while they are split, lies in the system's folder for temporary files; one byte of
    each is held afterwards.

    Args:
      sources: `{"all": files}`, to be split; or ready splits under `train`, `val` and `test`. val
        and test may be missing: they are taken from train.
      settings: columns, separator, shares, how files are written, and what the rules ask for.
      splits: a folder that remembers the splits of rows from one survey to the next; made if it is
        missing. Without one, a row may be in another split once there are others beside it.

    Returns:
      The intake; its `rows()` makes the second pass.

    Raises:
      DataError: what is remembered of the splits cannot be read.
      InputError: a file cannot be read, too many rows cannot, or what is left cannot be trained
        and measured on: one category only, a label column that looks like a name, or a split
        without a row.

    Example:
      >>> intake = survey({"all": find_files(["products.csv"])}, DataSettings())  # doctest: +SKIP
      >>> print(*intake.report.lines(), sep="\n")  # doctest: +SKIP
      1,312 rows read; kept: 1,040 train, 131 val, 137 test; 26 categories
      4 rows left out: repeated, same text and category (products.csv:88; ...)
    """
    if splits:
        check(splits)
    parts = plan(sources, settings)
    count = Counter(READING)
    with tempfile.TemporaryDirectory(prefix="prodcls-") as folder:
        work = Path(folder)
        surveyed = [survey_part(part, settings, work, count) for part in parts]
        memory = Memory(splits, work / "splits.gz") if splits else None
        conclusion = conclude(surveyed, sources, settings, work, memory)
        check_usable(conclusion, surveyed, settings)
        if memory:
            remember(memory.own, memory.folder)
        verdicts = {part: verdict_file(work, part).read_bytes() for part in parts}
    report(READING, done=count.done, total=count.done)
    return Intake(settings, verdicts, conclusion.categories, conclusion.report)
