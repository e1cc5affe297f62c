from __future__ import annotations

import pytest

from prodcls_tf.data.anomalies import Anomaly, AnomalyReport, listed
from prodcls_tf.data.comparing import category_shares, compare, judge, skew
from prodcls_tf.data.profile import Profile
from prodcls_tf.settings import ChecksSettings

CATEGORIES = {"Audio": 300, "Phones": 100}


def split(
    titles: list[str] | None = None, categories: dict[str, int] | None = None, **more: list[str]
) -> Profile:
    """A split of 400 rows, with these texts over and over again."""
    paths = [path for path, n in (categories or CATEGORIES).items() for _ in range(n)]
    columns = {"title": titles or ["usb cable"], **more}
    profile = Profile()
    texts = {name: (some * len(paths))[: len(paths)] for name, some in columns.items()}
    profile.add(texts, paths)
    return profile


def found(before: Profile, after: Profile, **settings: object) -> dict[str, Anomaly]:
    checks = ChecksSettings.model_validate(settings)
    return {one.kind: one for one in compare({"train": before}, {"train": after}, checks)}


def test_same_rows_have_nothing_unusual():
    assert found(split(), split()) == {}


def test_new_category_stops_and_is_named():
    new = found(split(), split(categories={**CATEGORIES, "Garden": 3}))["new_category"]
    assert new.stops
    assert (new.expected, new.received, new.examples) == (0, 3, ["Garden"])
    assert "'Garden' (3 rows)" in new.message


def test_new_category_is_a_note_where_that_is_set():
    after = split(categories={**CATEGORIES, "Garden": 3})
    assert not found(split(), after, new_categories="allow")["new_category"].stops


def test_categories_of_the_schema_are_the_known_ones():
    before, after = {"train": split()}, {"train": split()}
    known = compare(before, after, ChecksSettings(), known=["Audio", "Garden"])
    assert [(one.kind, one.examples) for one in known] == [("new_category", ["Phones"])]


def test_category_that_must_have_rows_and_has_none_stops():
    gone = found(split(), split(categories={"Audio": 400}))["vanished_category"]
    assert gone.stops
    assert (gone.expected, gone.received, gone.examples) == (100, 0, ["Phones"])


@pytest.mark.parametrize(
    ("before", "after"),
    [({"Audio": 396, "Phones": 4}, {"Audio": 400}), ({"Audio": 300, "Phones": 100}, {"Audio": 20})],
)
def test_category_that_may_be_missing_by_chance_is_a_note(before, after):
    gone = found(split(categories=before), split(categories=after))["vanished_category"]
    assert not gone.stops
    assert gone.examples == ["Phones"]


def test_vanished_category_is_a_note_where_that_is_set():
    after = split(categories={"Audio": 400})
    assert not found(split(), after, vanished_categories="allow")["vanished_category"].stops


def test_many_categories_are_one_anomaly_with_a_few_examples():
    after = split(categories={**CATEGORIES, **{f"New {n}": n + 1 for n in range(20)}})
    new = found(split(), after)["new_category"]
    assert new.examples == [f"New {n}" for n in (19, 18, 17, 16, 15)]
    assert "20 categories" in new.message


def test_empty_values_stop():
    before, after = split(["usb cable"]), split(["usb cable", "", ""])
    empty = found(before, after)["empty_drift"]
    assert empty.stops
    assert (empty.feature, empty.split, empty.expected) == ("title", "train", 0.0)
    assert empty.received == pytest.approx(0.665)
    assert "checks.max_empty_drift" in empty.message


def test_longer_texts_stop():
    length = found(split(["usb cable"]), split(["usb cable " * 20]))["length_drift"]
    assert length.stops
    assert length.distance == 1.0
    assert (length.expected, length.received) == (10, 215)


@pytest.mark.parametrize(
    ("text", "language"),
    [("手机充电线一条", "zh"), ("Ladekabel für das Auto", "de"), ("xz-7", "unclear (Latin)")],
)
def test_another_language_stops(text, language):
    drift = found(split(["charging cable for a car"]), split([text]))["language_drift"]
    assert drift.stops
    assert drift.expected == {"en": 1.0}
    assert drift.received == {language: 1.0}


def test_some_texts_in_another_language_stop():
    some = ["charging cable for a car"] * 4 + ["Ladekabel für das Auto"]
    drift = found(split(["charging cable for a car"]), split(some))["language_drift"]
    assert drift.stops
    assert drift.distance == 0.2
    assert "its texts are 80.0 % en, 20.0 % de, where 100.0 % en is expected" in drift.message


def test_languages_are_not_told_from_scripts_accepted_before():
    kept = split().model_dump()
    del kept["fields"]["title"]["languages"]
    kept["fields"]["title"]["scripts"] = {"Latin": 400}
    drift = found(Profile.model_validate(kept), split())["language_drift"]
    assert drift.stops
    assert drift.expected == {"Latin": 1.0}


def test_numbers_in_place_of_texts_stop():
    retyped = found(split(["usb cable"]), split(["12345.50"]))["retyped_column"]
    assert retyped.stops
    assert "numbers where texts are expected" in retyped.message
    assert "texts where numbers" in found(split(["1"]), split(["a"]))["retyped_column"].message


def test_threshold_of_one_stops_nothing():
    limits = dict.fromkeys(("max_empty_drift", "max_length_drift", "max_language_drift"), 1)
    after = found(split(["usb"]), split(["手机充电线一条" * 9, ""]), **limits)
    assert [one.kind for one in after.values() if one.stops] == []


def test_distance_near_its_threshold_is_a_note():
    few = ["usb cable"] * 5 + [""]
    empty = found(split(), split(few), max_empty_drift=0.3)["empty_drift"]
    assert not empty.stops
    assert empty.threshold == 0.3


def test_chance_on_few_rows_is_no_anomaly():
    before, after = split(categories={"Audio": 12}), split(["a", "usb cable"], {"Audio": 12})
    assert found(before, after) == {}


def test_column_that_only_one_side_has_is_left_out():
    assert found(split(), split(brand=["acme"])) == {}
    assert found(split(brand=["acme"]), split()) == {}


def test_column_without_any_text_is_a_matter_of_empty_values_alone():
    emptied = found(split(), split([""]))
    assert list(emptied) == ["empty_drift"]


def test_split_unlike_train_is_a_skew():
    splits = {"train": split(), "val": split(), "test": split(["手机充电线一条"])}
    length, language = skew(splits, ChecksSettings())
    assert (length.kind, length.split, length.stops) == ("length_skew", "test", True)
    assert (language.kind, language.split, language.stops) == ("language_skew", "test", True)
    assert "in test, unlike train" in language.message


def test_split_without_rows_is_no_skew():
    assert skew({"train": split(), "val": Profile()}, ChecksSettings()) == []


def test_shares_of_categories_name_those_that_moved():
    before, after = split(), split(categories={"Audio": 100, "Phones": 300})
    (drift,) = judge(category_shares(0.5, before, after), "kind", "train", "drift", 0.1)
    assert drift.stops
    assert (drift.feature, drift.distance, drift.threshold) == ("kind", 0.5, 0.1414)
    assert "'Audio' 75.0 % → 25.0 %" in drift.message
    assert "by chance" in drift.message


def test_report_has_the_worst_first():
    kinds = [("new_column", False), ("length_drift", True), ("missing_column", True)]
    report = AnomalyReport.of(
        1,
        [
            Anomaly(kind=kind, feature="title", split="all", message=kind, stops=stops)
            for kind, stops in kinds
        ],
    )
    assert [one.kind for one in report.stopping] == ["missing_column", "length_drift"]
    assert [one.kind for one in report.notes] == ["new_column"]


def test_of_the_same_kind_the_one_farthest_over_its_threshold_is_first():
    wide = Anomaly(
        kind="empty_drift", feature="b", split="train", message="", stops=True,
        distance=0.9, threshold=0.1,
    )  # fmt: skip
    near = wide.model_copy(update={"feature": "a", "distance": 0.2})
    assert [one.feature for one in AnomalyReport.of(1, [near, wide]).anomalies] == ["b", "a"]


def test_list_of_anomalies_for_a_person_has_an_end():
    one = Anomaly(kind="schema", feature="a", split="all", message="odd", stops=True)
    assert listed([one] * 12).splitlines() == ["  odd"] * 10 + ["  and 2 more"]
