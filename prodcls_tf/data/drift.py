"""Whether new product files are still like the rows that were accepted before.

The files are a part of what the next training learns from, and may be a small one. So they are
looked at by themselves: the gate before a training sees all rows together, among which it may take
months until the new ones weigh enough.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Optional

from prodcls_tf.data.anomalies import Anomaly, AnomalyReport
from prodcls_tf.data.category import clean_category
from prodcls_tf.data.cleaning import clean_fields
from prodcls_tf.data.comparing import TRAIN, category_shares, compare, judge
from prodcls_tf.data.distances import shares
from prodcls_tf.data.notes import FileNotes
from prodcls_tf.data.profile import Profile
from prodcls_tf.data.reading import read_file
from prodcls_tf.settings import DataSettings, Settings

# Rows that are counted at a time.
_BATCH = 8192

# A part of the products need not have all categories, and a new one is always a reason to learn.
_OF_A_PART = {"vanished_categories": "allow", "new_categories": "stop"}


def profile_files(files: Iterable[Path], settings: DataSettings) -> Profile:
    """Counts what the rows of product files are like, once their texts are cleaned.

    Rows that cannot be read are passed over; one without a category counts with its texts.

    Args:
      files: product files.
      settings: how they are read.

    Raises:
      InputError: a file cannot be read at all.
    """
    tolerant = FileNotes(on_reject=lambda _: None)
    rows = chain.from_iterable(read_file(path, settings, notes=tolerant) for path in files)
    profile = Profile()
    while some := list(islice(rows, _BATCH)):
        columns = zip(*(clean_fields(row.fields, settings.clean) for row in some), strict=True)
        paths = (clean_category(row.category, settings.separator)[0] for row in some)
        profile.add(dict(zip(settings.text, columns, strict=True)), list(filter(None, paths)))
    return profile


def drift(
    now: Profile,
    accepted: Mapping[str, Profile],
    settings: Settings,
    known: Optional[Collection[str]] = None,
) -> list[Anomaly]:
    """Says in what new rows are not like those accepted before.

    Args:
      now: of the new rows.
      accepted: by split.
      settings: thresholds, and the name of the label's column.
      known: the categories that are allowed; None for those of `accepted`.

    Returns:
      What passes its threshold, the worst first: new categories, other shares of them, and texts of
      other lengths or scripts, or missing.

    Example:
      >>> before, now = Profile(), Profile()
      >>> before.add({"title": ["usb cable"] * 200}, ["Audio"] * 200)
      >>> now.add({"title": ["手机壳"] * 200}, ["Audio"] * 200)
      >>> [one.kind for one in drift(now, {"train": before}, Settings())]
      ['script_drift', 'length_drift']
    """
    label, train = settings.data.label, accepted[TRAIN]
    checks = settings.checks.model_copy(update=_OF_A_PART)
    before, after = shares(train.categories), shares(now.categories)
    paths = before.keys() | after.keys()
    distance = max((abs(after.get(p, 0.0) - before.get(p, 0.0)) for p in paths), default=0.0)
    moved = category_shares(distance, train, now)
    found = [
        *compare(accepted, {TRAIN: now}, checks, known, label),
        *judge(moved, label, TRAIN, "drift", checks.max_category_drift),
    ]
    return AnomalyReport.of(None, found).stopping
