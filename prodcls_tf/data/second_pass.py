"""The second pass over a part: the rows that are kept, and the others by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prodcls_tf.data.decisions import REASONS, Verdict
from prodcls_tf.data.notes import FileNotes, excerpt
from prodcls_tf.data.parts import Part, changed
from prodcls_tf.data.preparing import as_written
from prodcls_tf.data.reading import Row
from prodcls_tf.data.rejects import LeftOut
from prodcls_tf.features import SPLITS
from prodcls_tf.settings import DataSettings

# What the pass is called where progress is shown.
SPLITTING = "splitting products"


def kept_rows(
    part: Part,
    verdicts: bytes,
    settings: DataSettings,
    left_out: Callable[[LeftOut], object],
    count: Callable[[], None],
) -> Iterator[tuple[str, Row]]:
    """Reads a part once more.

    Args:
      part: the part.
      verdicts: a `Verdict` for each row that could be read.
      settings: as in the first pass.
      left_out: is told of every row that is not kept.
      count: told of each row that could be read.

    Yields:
      The split, and the row with its texts cleaned and its category made comparable.

    Raises:
      InputError: the file has changed since the first pass.
    """
    notes = FileNotes(
        on_reject=lambda e: left_out(LeftOut(str(e.path), e.line, e.reason, e.excerpt))
    )
    number = 0
    for number, row in enumerate(part.rows(settings, notes), start=1):
        if number > len(verdicts):
            raise changed(part.path)
        verdict = Verdict(verdicts[number - 1])
        if verdict in REASONS:
            shown = excerpt([*row.fields, row.category])
            left_out(LeftOut(row.file, row.line, REASONS[verdict], shown))
        else:
            yield SPLITS[verdict], as_written(row, settings)[0]
        count()
    if number != len(verdicts):
        raise changed(part.path)
