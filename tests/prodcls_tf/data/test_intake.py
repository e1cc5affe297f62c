"""What the intake keeps, what it leaves out, and what it refuses."""

from __future__ import annotations

import json
import os
import tempfile
import tracemalloc
from collections import Counter

import pytest

from prodcls_tf import progress
from prodcls_tf.data import cutting, ledger
from prodcls_tf.data.folding import fold
from prodcls_tf.data.intake import survey
from prodcls_tf.errors import InputError
from prodcls_tf.settings import DataSettings
from tests.prodcls_tf.data.shop import PLENTY, SETTINGS, save


@pytest.fixture
def take(tmp_path):
    """Surveys `extra` rows before many plain ones."""

    def _take(extra=(), plenty=PLENTY, **options):
        path = save(tmp_path / "all.csv", [*extra, *plenty])
        return survey({"all": [path]}, DataSettings(**options))

    return _take


@pytest.fixture
def take_ready(tmp_path):
    """Surveys ready splits, each with rows of its own before those named."""

    def _take(**splits):
        sources = {}
        for number, (name, rows) in enumerate(splits.items()):
            own = [(f"{kind} of {name} {i}", kind) for kind in ("radio", "lamp") for i in range(40)]
            sources[name] = [save(tmp_path / f"{number}.csv", [*rows, *own])]
        return survey(sources, SETTINGS)

    return _take


def splits_of(intake):
    return {row.fields[0]: split for split, row in intake.rows()}


def refusal(call, *arguments, **options):
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_every_row_is_kept_or_counted(take):
    report = take([("", "lamp"), ("x", ""), *PLENTY[:3], ("radio number 7", "lamp")]).report
    left_out = (
        report.empty_text.rows
        + report.empty_label.rows
        + report.duplicates.rows
        + report.conflicts.rows
    )
    assert left_out == 6
    assert sum(report.kept.values()) + left_out == report.rows_read == 186


def test_rows_come_in_file_order(take):
    intake = take()
    rows = list(intake.rows())
    assert [row.line for _, row in rows] == list(range(2, 182))
    assert Counter(split for split, _ in rows) == intake.report.kept


def test_each_category_has_its_shares(take):
    found = Counter((row.category, split) for split, row in take().rows())
    assert found == {
        (category, split): rows
        for category in ("radio", "lamp", "chair")
        for split, rows in (("train", 48), ("val", 6), ("test", 6))
    }


def test_split_does_not_depend_on_the_order_of_rows(take):
    assert splits_of(take()) == splits_of(take(plenty=PLENTY[::-1]))


def test_rows_can_be_read_again(take):
    intake = take()
    assert list(intake.rows()) == list(intake.rows())


def test_categories_are_those_of_train_sorted(take):
    assert take().categories == ["chair", "lamp", "radio"]


def test_category_comes_normalised(take):
    intake = take([("odd radio", "Audio  >\u00a0Radio "), ("other radio", "Audio > Radio")])
    assert {row.category for _, row in intake.rows()} >= {"Audio > Radio"}
    assert intake.report.categories == 4


def test_empty_levels_are_closed_up_and_counted(take):
    intake = take([("odd radio", "Audio > > Radio"), ("other radio", "Audio > Radio >")])
    assert intake.report.categories == 4
    assert intake.report.empty_levels.rows == 2
    assert "all.csv:2 'Audio > > Radio'" in intake.report.empty_levels.examples[0]


def test_row_without_text_is_left_out_and_counted(take):
    intake = take([(" ", "lamp"), ("\u200b", "radio")])
    assert intake.report.empty_text.rows == 2
    assert intake.report.empty_text.examples[1].endswith("all.csv:3")


def test_row_with_one_of_two_fields_is_kept(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(f"{kind} {i},,{kind}\n" for kind in ("lamp", "radio") for i in range(60))
    path.write_text(f"title,description,category\n,lonely,lamp\n,,lamp\n{rows}")
    intake = survey({"all": [path]}, DataSettings(text=["title", "description"]))
    assert intake.report.empty_text.rows == 1
    assert ("", "lonely") in {row.fields for _, row in intake.rows()}


@pytest.mark.parametrize("label", ["", " ", "nan", "NaN", "null", "None", "N/A", " > "])
def test_row_without_label_is_left_out_and_counted(take, label):
    report = take([("thing", label)]).report
    assert report.empty_label.rows == 1
    assert report.categories == 3
    assert report.empty_label.examples[0].endswith("all.csv:2")


def test_title_nan_is_a_title(take):
    assert "nan" in splits_of(take([("nan", "lamp")]))


def test_duplicate_keeps_the_first_row(take):
    intake = take([("Same THING", "lamp"), ("same  thing", "lamp"), ("ｓame thing", "lamp")])
    titles = [row.fields[0] for _, row in intake.rows() if fold(row.fields[0]) == "same thing"]
    assert titles == ["Same THING"]
    assert intake.report.duplicates.rows == 2


def test_conflict_keeps_the_category_of_most_rows(take):
    intake = take([("x y", "lamp"), ("X Y", "radio"), ("x  y", "radio")])
    kept = [row for _, row in intake.rows() if fold(row.fields[0]) == "x y"]
    assert [(row.category, row.line) for row in kept] == [("radio", 3)]
    assert (intake.report.conflicts.rows, intake.report.duplicates.rows) == (1, 1)


def test_conflict_at_a_tie_keeps_the_first_row(take):
    intake = take([("x y", "radio"), ("x y", "lamp"), ("x y", "lamp"), ("x y", "radio")])
    kept = [row for _, row in intake.rows() if fold(row.fields[0]) == "x y"]
    assert [(row.category, row.line) for row in kept] == [("radio", 2)]


def test_conflict_names_both_rows(take):
    example = take([("x y", "radio"), ("x y", "lamp")]).report.conflicts.examples[0]
    assert "all.csv:3 'lamp', kept " in example
    assert example.endswith("all.csv:2 'radio'")


def test_examples_are_five_at_most_and_in_file_order(take):
    finding = take([("", "lamp")] * 9).report.empty_text
    assert finding.rows == 9
    assert [int(example.rsplit(":", 1)[1]) for example in finding.examples] == [2, 3, 4, 5, 6]


def test_only_row_of_a_category_stays_in_train(take):
    intake = take([("thing", "rare")], val_share=0.3, test_share=0.6)
    assert splits_of(intake)["thing"] == "train"
    assert intake.report.single_row.rows == 1
    assert intake.report.moved_to_train.rows == 0


def test_category_whose_rows_are_all_in_held_out_groups_of_another_goes_to_train(take):
    woods = ("oak", "pine", "ash", "elm", "fir", "yew", "teak", "beech", "birch", "maple")
    # A set of near duplicates for each wood, which begins with a lamp.
    rows = [
        (f"lamp of {wood} with a shade {size}", "lamp" if size < 3 else f"rare {wood}")
        for wood in woods
        for size in range(5)
    ]
    intake = take(rows, val_share=0.3, test_share=0.3)
    found = splits_of(intake)
    # With all of its set: near duplicates are never parted.
    assert {found[title] for title, _ in rows} == {"train"}
    assert intake.report.moved_to_train.rows in range(5, 50, 5)


def test_several_files_are_one_source(tmp_path):
    first = save(tmp_path / "1.csv", PLENTY[:90])
    second = save(tmp_path / "2.csv", [PLENTY[0], *PLENTY[90:]])
    intake = survey({"all": [first, second]}, SETTINGS)
    assert intake.report.duplicates.examples == [f"{second}:2"]
    assert len(list(intake.rows())) == 180


def test_ready_splits_are_kept_as_they_are(take_ready):
    intake = take_ready(train=[], val=[], test=[])
    assert intake.report.kept == {"train": 80, "val": 80, "test": 80}
    assert all(split in text for text, split in splits_of(intake).items())


def test_text_in_several_ready_splits_stays_in_the_most_held_out_one(take_ready):
    both, two = ("in all", "lamp"), ("in two", "lamp")
    intake = take_ready(train=[both, two], val=[both, two], test=[both])
    assert splits_of(intake)["in all"] == "test"
    assert splits_of(intake)["in two"] == "val"
    assert intake.report.cross_split.rows == 3


def test_conflict_across_ready_splits_is_settled_inside_the_held_out_one(take_ready):
    intake = take_ready(train=[("x", "lamp")] * 3, test=[("x", "radio")])
    kept = [(split, row.category) for split, row in intake.rows() if row.fields[0] == "x"]
    assert kept == [("test", "radio")]


@pytest.mark.parametrize("given_split", [(), ("val",), ("test",)])
def test_missing_ready_splits_are_taken_from_train(take_ready, given_split):
    intake = take_ready(train=[], **{name: [] for name in given_split})
    found = Counter(split for text, split in splits_of(intake).items() if "of train" in text)
    missing = {"val": 8, "test": 8}.keys() - given_split
    assert found == {"train": 80 - 8 * len(missing), **dict.fromkeys(missing, 8)}
    assert all(intake.report.kept.values())


def test_category_that_train_lacks_is_left_out_of_ready_test(take_ready):
    report = take_ready(train=[], test=[("x", "unheard")]).report
    assert report.unknown_category.rows == 1
    assert report.categories == 2
    assert report.unknown_category.examples[0].endswith(".csv:2 'unheard'")


def test_category_with_one_row_in_ready_train_is_learned(take_ready):
    intake = take_ready(train=[("thing", "rare")], test=[("other", "rare")])
    assert splits_of(intake)["thing"] == "train"
    assert splits_of(intake)["other"] == "test"


def test_report_is_plain_values_and_sentences(take):
    report = take([("", "lamp"), ("x", "lamp"), ("x", "radio")]).report
    assert json.loads(json.dumps(report.to_dict()))["empty_text"]["rows"] == 1
    lines = report.lines()
    assert lines[0].startswith("183 rows read; kept: ")
    assert "3 categories" in lines[0]
    assert next(line for line in lines if "no text" in line).startswith("1 row left out")
    assert len(lines) == 3


def test_report_without_findings_is_one_line(take):
    assert len(take().report.lines()) == 1


def test_progress_is_reported(tmp_path):
    path = save(tmp_path / "a.csv", [(f"thing {i}", f"c{i % 5}") for i in range(12_000)])
    events: list[progress.Event] = []
    with progress.listening(events.append):
        list(survey({"all": [path]}, SETTINGS).rows())
    assert {event.task for event in events} == {"reading products", "splitting products"}
    assert [event.done for event in events if event.total is None] == [5_000, 10_000]
    assert events[-1].done == events[-1].total == 12_000


def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "PART_BYTES", 1 << 17)
    monkeypatch.setattr(ledger, "RUN_ROWS", 1 << 11)
    monkeypatch.setattr(ledger, "RANGE_ROWS", 1 << 12)
    peaks = []
    for count in (10_000, 60_000):
        rows = [(f"long product title {i}", f"c{i % 5}") for i in range(count)]
        path = save(tmp_path / "a.csv", rows)
        survey({"all": [path]}, SETTINGS)
        tracemalloc.start()
        try:
            assert sum(1 for _ in survey({"all": [path]}, SETTINGS).rows()) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # A byte a row is held between the passes, and a little of each part.
    assert peaks[1] - peaks[0] < 6 * 50_000


def test_files_that_are_remembered_by_are_gone_afterwards(take, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    take()
    refusal(take, plenty=[("lamp", "nan")])
    assert [path.name for path in tmp_path.iterdir()] == ["all.csv"]


def test_one_category_only_is_refused(take):
    message = refusal(take, plenty=[(f"lamp {i}", "lamp") for i in range(99)])
    assert "at least two categories" in message
    assert "'lamp'" in message
    assert "--label" in message


def test_label_column_of_names_is_refused(take):
    message = refusal(take, plenty=[(f"lamp {i}", f"sku-{i}") for i in range(99)])
    assert "99 categories in the column 'category'" in message
    assert "--label" in message


def test_no_usable_row_is_refused_with_the_reasons(take):
    message = refusal(take, plenty=[("lamp", "nan"), ("", "x")])
    assert "none is left" in message
    assert "1 row left out: no category" in message


@pytest.mark.parametrize(("split", "other"), [("val", "test"), ("test", "val")])
def test_split_without_a_row_is_refused_with_the_remedy(take, split, other):
    shares = {f"{split}_share": 0.001, f"{other}_share": 0.1}
    message = refusal(take, plenty=[(f"thing {i}", f"c{i % 2}") for i in range(40)], **shares)
    assert f"Received none for {split} " in message
    assert f"--set data.{split}_share" in message
    assert f"--{split}." in message


def test_header_only_ready_split_is_refused(tmp_path):
    sources = {"train": [save(tmp_path / "1.csv", PLENTY)], "val": [save(tmp_path / "2.csv", [])]}
    assert "2.csv" in refusal(survey, sources, SETTINGS)


@pytest.mark.parametrize("names", [(), ("test",), ("all", "train"), ("train", "dev")])
def test_sources_that_make_no_sense_are_refused(names):
    assert "`train`" in refusal(survey, {name: [] for name in names}, SETTINGS)


def test_file_that_grew_after_the_survey_is_refused(take, tmp_path):
    intake = take()
    with (tmp_path / "all.csv").open("a") as stream:
        stream.write("new,lamp\n")
    assert "must stay the same" in refusal(list, intake.rows())


def test_file_of_the_same_size_but_another_time_is_refused(take, tmp_path):
    intake = take()
    os.utime(tmp_path / "all.csv", ns=(1, 1))
    assert "must stay the same" in refusal(list, intake.rows())


def test_file_that_changes_during_the_second_pass_is_refused(take, tmp_path):
    rows = take().rows()
    next(rows)
    save(tmp_path / "all.csv", PLENTY[:-1])
    assert "must stay the same" in refusal(list, rows)


def test_file_that_is_gone_at_the_second_pass_is_refused(take, tmp_path):
    intake = take()
    (tmp_path / "all.csv").unlink()
    assert "all.csv" in refusal(list, intake.rows())
