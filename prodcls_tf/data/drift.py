"""Whether product files, new ones or served ones, are still like the rows accepted before.

New files are a part of what the next training learns from, and may be a small one. So they are
looked at by themselves: the gate before a training sees all rows together, among which it may take
months until the new ones weigh enough.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Optional

from prodcls_tf.data.anomalies import Anomaly, AnomalyReport
from prodcls_tf.data.category import clean_category
from prodcls_tf.data.cleaning import clean_fields
from prodcls_tf.data.comparing import TRAIN, category_shares, compare, judge, skew
from prodcls_tf.data.distances import Measured, shares
from prodcls_tf.data.notes import FileNotes, RowError
from prodcls_tf.data.profile import Profile
from prodcls_tf.data.reading import read_file
from prodcls_tf.settings import DataSettings, Settings

# What products that a model is asked about are called, as train, val and test are.
SERVED = "served"

# Rows that are counted at a time.
_BATCH = 8192

# A part of the products need not have all categories, and a new one is always a reason to learn.
_OF_A_PART = {"vanished_categories": "allow", "new_categories": "stop"}


def profile_files(
    files: Iterable[Path],
    settings: DataSettings,
    labelled: bool = True,
    on_reject: Callable[[RowError], object] = lambda _: None,
) -> Profile:
    """Counts what the rows of product files are like, once their texts are cleaned.

    Rows that cannot be read are passed over; one without a category counts with its texts.

    Args:
      files: product files.
      settings: how they are read.
      labelled: whether the label column is read; where not, it need not exist.
      on_reject: told of each row that cannot be read.

    Raises:
      InputError: a file cannot be read at all.
    """
    tolerant = FileNotes(on_reject=on_reject)
    rows = chain.from_iterable(
        read_file(path, settings, labelled, notes=tolerant) for path in files
    )
    profile = Profile()
    while some := list(islice(rows, _BATCH)):
        columns = zip(*(clean_fields(row.fields, settings.clean) for row in some), strict=True)
        paths = (clean_category(row.category, settings.separator)[0] for row in some)
        profile.add(dict(zip(settings.text, columns, strict=True)), list(filter(None, paths)))
    return profile


def serving_skew(
    served: Profile, train: Profile, settings: Settings, labelled: bool = False
) -> list[Anomaly]:
    """Says in what products that a model is asked about are not like the rows that were accepted.

    Args:
      served: of the products it is asked about; its text columns are called as those of `train`.
      train: of the accepted rows to learn from.
      settings: `checks.max_skew`, and the name of the label's column.
      labelled: whether `served` has categories, such as those that the model gave.

    Returns:
      What passes the threshold, and what comes near it, the worst first.

    Example:
      >>> train, served = Profile(), Profile()
      >>> train.add({"title": ["usb cable"] * 200}, ["Audio"] * 200)
      >>> served.add({"title": ["手机壳"] * 200}, [])
      >>> [one.kind for one in serving_skew(served, train, Settings())]
      ['language_skew', 'length_skew']
    """
    found = skew({TRAIN: train, SERVED: served}, settings.checks)
    if labelled:
        moved = _moved(train, served)
        found += judge(moved, settings.data.label, SERVED, "skew", settings.checks.max_skew)
    return AnomalyReport.of(None, found).anomalies


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
      other lengths or languages, or missing.

    Example:
      >>> before, now = Profile(), Profile()
      >>> before.add({"title": ["usb cable"] * 200}, ["Audio"] * 200)
      >>> now.add({"title": ["手机壳"] * 200}, ["Audio"] * 200)
      >>> [one.kind for one in drift(now, {"train": before}, Settings())]
      ['language_drift', 'length_drift']
    """
    label = settings.data.label
    checks = settings.checks.model_copy(update=_OF_A_PART)
    moved = _moved(accepted[TRAIN], now)
    found = [
        *compare(accepted, {TRAIN: now}, checks, known, label),
        *judge(moved, label, TRAIN, "drift", checks.max_category_drift),
    ]
    return AnomalyReport.of(None, found).stopping


def _moved(was: Profile, now: Profile) -> Measured:
    before, after = shares(was.categories), shares(now.categories)
    paths = before.keys() | after.keys()
    distance = max((abs(after.get(p, 0.0) - before.get(p, 0.0)) for p in paths), default=0.0)
    return category_shares(distance, was, now)
