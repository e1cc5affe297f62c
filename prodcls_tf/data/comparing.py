"""Whether rows are like those accepted before, by their profiles.

A distance counts only beyond what chance alone would give (`distances.chance`): so a setting holds
for a file of a million rows, and one of a hundred raises no false alarm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Optional

from prodcls_tf.data.anomalies import ALL_SPLITS, EXAMPLES, Anomaly
from prodcls_tf.data.distances import (
    Measured,
    chance,
    measure_empty,
    measure_texts,
    percent,
    shares,
)
from prodcls_tf.data.profile import FieldProfile, LeftOut, Profile
from prodcls_tf.sections.checks import ChecksSettings

TRAIN = "train"

# A note says that a distance comes near its threshold: beyond this part of it, and beyond chance.
_NEAR = 0.5
# A column is another kind of thing where texts became numbers, or numbers texts, in most rows.
_RETYPED = 0.5
# A category of which fewer rows were to be expected may be missing by chance: e^-8 is .0003.
_EXPECTED_ROWS = 8


def compare(
    accepted: Mapping[str, Profile],
    now: Mapping[str, Profile],
    settings: ChecksSettings,
    known: Optional[Collection[str]] = None,
    label: str = "category",
    places: Optional[Mapping[str, str]] = None,
) -> list[Anomaly]:
    """Compares the rows of a run with those accepted before: categories, and texts of train.

    Columns that only one of them has are left out: what that means is the schema's business.

    Args:
      accepted: profiles by split.
      now: of the rows at hand.
      settings: what may differ by how much.
      known: the categories that are allowed; None for those of `accepted`.
      label: the column of the categories.
      places: where the first row of a category stands, if that is known.

    Returns:
      What is unusual, in no order.

    Example:
      >>> before, after = Profile(), Profile()
      >>> before.add({"title": ["usb cable"] * 20}, ["Audio"] * 20)
      >>> after.add({"title": ["usb cable"] * 20}, ["Garden"] * 20)
      >>> [one.kind for one in compare({"train": before}, {"train": after}, ChecksSettings())]
      ['new_category', 'vanished_category']
    """
    limits = {
        "empty": settings.max_empty_drift,
        "length": settings.max_length_drift,
        "language": settings.max_language_drift,
    }
    found = list(_categories(accepted, now, settings, known, label, places))
    for column, texts in now[TRAIN].fields.items():
        expected = accepted[TRAIN].fields.get(column)
        if expected is not None:
            found += _retyped(column, expected, texts)
            for measured in measure_texts(expected, texts):
                found += judge(measured, column, TRAIN, "drift", limits[measured.name])
    return found


def compare_left_out(
    was: LeftOut,
    now: LeftOut,
    settings: ChecksSettings,
    texts: str,
    label: str,
    places: Optional[Mapping[str, Sequence[str]]] = None,
) -> list[Anomaly]:
    """Compares how many rows had no text or no category, of which profiles know nothing.

    Args:
      was: at the intake of the rows accepted before.
      now: of the rows at hand.
      settings: what may differ by how much.
      texts: the text columns, as a person calls them.
      label: the column of the categories.
      places: where the first of these rows stand, by these columns, if that is known.

    Returns:
      What is unusual.

    Example:
      >>> now = LeftOut(rows=400, no_label=300)
      >>> (found,) = compare_left_out(LeftOut(rows=400), now, ChecksSettings(), "title", "category")
      >>> found.kind, found.feature
      ('empty_drift', 'category')
    """
    counts = {texts: (was.no_text, now.no_text), label: (was.no_label, now.no_label)}
    found = []
    for column, (before, after) in counts.items():
        first = list((places or {}).get(column, []))
        words = "of the rows read have nothing there"
        empty = measure_empty(before, was.rows, after, now.rows, words)
        for anomaly in judge(empty, column, ALL_SPLITS, "drift", settings.max_empty_drift):
            told = {"message": anomaly.message + _first(first), "places": first}
            found.append(anomaly.model_copy(update=told))
    return found


def skew(now: Mapping[str, Profile], settings: ChecksSettings) -> list[Anomaly]:
    """Compares the texts of val and test with those of train.

    Args:
      now: profiles by split.
      settings: what may differ by how much.

    Returns:
      What is unusual, in no order.
    """
    return [
        anomaly
        for split, profile in now.items()
        for column, texts in profile.fields.items()
        if split != TRAIN
        for measured in measure_texts(now[TRAIN].fields[column], texts)
        for anomaly in judge(measured, column, split, "skew", settings.max_skew)
    ]


def category_shares(distance: float, was: Profile, now: Profile) -> Measured:
    """Says which categories have moved, where it is known how far their shares are apart.

    Args:
      distance: the largest difference of a category's share.
      was: what is expected.
      now: what there is.

    Returns:
      That measure, with the categories that moved most.
    """
    before, after = shares(was.categories), shares(now.categories)
    moved = sorted(
        before.keys() | after.keys(),
        key=lambda path: (-abs(after.get(path, 0.0) - before.get(path, 0.0)), path),
    )[:EXAMPLES]
    expected = {path: before.get(path, 0.0) for path in moved}
    received = {path: after.get(path, 0.0) for path in moved}
    changes = "; ".join(
        f"{path!r} {percent(expected[path])} → {percent(received[path])}" for path in moved[:3]
    )
    words = f"its values have other shares of the rows than expected: {changes}"
    return Measured("category", distance, chance(was.rows, now.rows), words, expected, received)


def judge(
    measured: Measured, column: str, split: str, comparison: str, limit: float
) -> Iterator[Anomaly]:
    """Makes an anomaly of a distance that is over its threshold, or a note where it is near.

    Args:
      measured: the distance.
      column: of which.
      split: whose rows.
      comparison: `drift`, with what was accepted, or `skew`, with train.
      limit: the most that it may be by the settings.

    Yields:
      One anomaly, or none where the distance is not worth a word.
    """
    threshold = max(limit, measured.chance)
    if measured.distance <= max(limit * _NEAR, measured.chance):
        return
    kind = f"{measured.name}_{comparison}"
    setting = "max_skew" if comparison == "skew" else f"max_{kind}"
    few = "; by chance on so few rows" if measured.chance > limit else ""
    where = "" if comparison == "drift" else f" in {split}, unlike train"
    yield Anomaly(
        kind=kind,
        feature=column,
        split=split,
        message=f"{column!r}{where}: {measured.words} ({measured.distance:.2f} apart, may be "
        f"{threshold:.2f}: checks.{setting}{few})",
        stops=measured.distance > threshold,
        expected=measured.expected,
        received=measured.received,
        distance=round(measured.distance, 4),
        threshold=round(threshold, 4),
        examples=list(measured.received) if measured.name == "category" else [],
    )


def _retyped(column: str, was: FieldProfile, now: FieldProfile) -> Iterator[Anomaly]:
    if not was.filled or not now.filled:
        return
    before, after = was.numbers / was.filled, now.numbers / now.filled
    threshold = max(_RETYPED, chance(was.filled, now.filled))
    if abs(after - before) > threshold:
        kinds = ("numbers", "texts") if after > before else ("texts", "numbers")
        yield Anomaly(
            kind="retyped_column",
            feature=column,
            split=TRAIN,
            message=f"{column!r}: it holds {kinds[0]} where {kinds[1]} are expected: "
            f"{percent(after)} of its values are bare numbers, {percent(before)} were",
            stops=True,
            expected=round(before, 4),
            received=round(after, 4),
            distance=round(abs(after - before), 4),
            threshold=round(threshold, 4),
        )


def _categories(
    accepted: Mapping[str, Profile],
    now: Mapping[str, Profile],
    settings: ChecksSettings,
    known: Optional[Collection[str]],
    label: str,
    places: Optional[Mapping[str, str]],
) -> Iterator[Anomaly]:
    """Finds categories that are new, and those that have vanished."""
    before, after = _rows_by_category(accepted), _rows_by_category(now)
    allowed = set(before if known is None else known)
    new = {path: rows for path, rows in after.items() if path not in allowed}
    if new:
        stops = settings.new_categories == "stop"
        yield _of_categories("new_category", label, new, "not accepted before", stops, 0, places)
    # A category that a person has taken out of the schema is not missed.
    gone = {path: rows for path, rows in before.items() if path in allowed and path not in after}
    share = sum(after.values()) / max(1, sum(before.values()))
    missed = {path: rows for path, rows in gone.items() if rows * share >= _EXPECTED_ROWS}
    rare = {path: rows for path, rows in gone.items() if path not in missed}
    if missed:
        stops, what = settings.vanished_categories == "stop", "without a row, and with many before"
        yield _of_categories("vanished_category", label, missed, what, stops)
    if rare:
        what = "without a row, and with few before"
        yield _of_categories("vanished_category", label, rare, what, False)


def _of_categories(
    kind: str,
    label: str,
    rows: Mapping[str, int],
    what: str,
    stops: bool,
    expected: Optional[int] = None,
    places: Optional[Mapping[str, str]] = None,
) -> Anomaly:
    total = sum(rows.values())
    largest = sorted(rows, key=lambda path: (-rows[path], path))[:EXAMPLES]
    first = {path: [place] for path in largest if (place := (places or {}).get(path))}
    shown = ", ".join(
        f"{path!r} ({rows[path]:,} rows{_first(first.get(path, []))})" for path in largest
    )
    more = ", ..." if len(rows) > len(largest) else ""
    count = f"{len(rows):,} categor{'y' if len(rows) == 1 else 'ies'}"
    return Anomaly(
        kind=kind,
        feature=label,
        split=ALL_SPLITS,
        message=f"{label!r}: {count} {what}: {shown}{more}",
        stops=stops,
        expected=total if expected is None else expected,
        received=0 if expected is None else total,
        examples=largest,
        places=[place for some in first.values() for place in some],
    )


def _first(places: Sequence[str]) -> str:
    """Says where the first row stands, if that is known."""
    return f", the first at {places[0]}" if places else ""


def _rows_by_category(profiles: Mapping[str, Profile]) -> Mapping[str, int]:
    rows: dict[str, int] = {}
    for profile in profiles.values():
        for path, count in profile.categories.items():
            rows[path] = rows.get(path, 0) + count
    return rows
