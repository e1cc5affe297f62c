"""Rows that cannot be read: passed over, counted, listed; too many of them stop."""

from __future__ import annotations

import csv
import json

import pytest

from prodcls_tf.data.intake import survey
from prodcls_tf.data.rejects import rejects_file
from prodcls_tf.errors import InputError
from prodcls_tf.settings import DataSettings
from tests.prodcls_tf.data.shop import PLENTY

GOOD = "".join(f"{title},{kind}\n" for title, kind in PLENTY)
ALLOWED = DataSettings(max_rejects=0.1)


def take(path, settings=ALLOWED):
    """The report, the rows kept, and the list of the others as a file has it."""
    intake = survey({"all": [path]}, settings)
    listed = path.with_name("rejects.csv")
    with rejects_file(listed) as left_out:
        kept = list(intake.rows(left_out))
    with listed.open(encoding="utf-8", newline="") as stream:
        rejects = [
            (int(row["line"]), row["reason"], row["excerpt"]) for row in csv.DictReader(stream)
        ]
    report = intake.report
    assert report.rows_read == len(kept) + len(rejects)
    return report, kept, rejects


def refusal(path, settings=ALLOWED):
    with pytest.raises(InputError) as caught:
        survey({"all": [path]}, settings)
    return str(caught.value)


@pytest.mark.parametrize(
    ("bad", "reason", "excerpt"),
    [
        (b"Radio, red,Audio", "3 cells instead of 2", "Radio, red,Audio"),
        (b"Radio", "1 cell instead of 2", "Radio"),
        (b"Caf\xe9,Audio", "bytes that are no utf-8 text: e9", "Caf\\xe9,Audio"),
        (b"Ra\0dio,Audio", "bytes that are no utf-8 text: 00", "Ra\\x00dio,Audio"),
        (b'"a" "b" c,d,Audio', "quotes that do not fit", '"a" "b" c,d,Audio'),
        (b'"two\nli\xffnes",Audio', "bytes that are no utf-8 text: ff", '"two li\\xffnes",Audio'),
    ],
)
def test_bad_csv_row_is_passed_over_and_listed(write, bad, reason, excerpt):
    settings = DataSettings(max_rejects=0.1, encoding="utf-8")
    content = b"title,category\nTV,radio\n" + bad + b"\n" + GOOD.encode()
    report, kept, rejects = take(write("a.csv", content), settings)
    assert rejects == [(3, reason, excerpt)]
    assert report.rejected.rows == 1
    assert report.rejected.examples[0].endswith(f"a.csv:3 {reason}")
    assert len(kept) == 181
    assert report.files[0].model_dump(exclude={"file"}) == {
        "rows": 182,
        "rejected": 1,
        "encoding": "utf-8",
        "delimiter": ",",
        "byte_order_mark": False,
    }


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"title": "TV"', "no JSON object: Expecting ',' delimiter"),
        ("[1]", "no JSON object: a JSON array"),
        ('{"title": ["TV"], "category": "A"}', "'title' is a JSON array, not text"),
    ],
)
def test_bad_json_line_is_passed_over_and_listed(write, bad, reason):
    rows = [json.dumps({"title": title, "category": kind}) for title, kind in PLENTY]
    _, kept, rejects = take(write("a.jsonl", "\n".join([bad, *rows])))
    assert [(line, why) for line, why, _ in rejects] == [(1, reason)]
    assert len(kept) == 180


def test_every_row_left_out_is_listed_in_file_order(write):
    dirty = "<br>,lamp\nx,\nsame,lamp\nsame,lamp\nsame,chair\na,b,c\n"
    _, _, rejects = take(write("a.csv", f"title,category\n{dirty}{GOOD}"))
    assert [(line, reason) for line, reason, _ in rejects] == [
        (2, "no text"),
        (3, "no category"),
        (5, "same text and category as another row"),
        (6, "same text under several categories"),
        (7, "3 cells instead of 2"),
    ]
    assert rejects[0][2] == "<br> | lamp"


def test_too_many_bad_rows_stop_with_the_first_ones_and_the_way_out(write):
    path = write("a.csv", "title,category\n" + "a,b,c\n" * 20 + GOOD)
    message = refusal(path, DataSettings())
    assert "Received 20 of 200:" in message
    assert f"\n  {path}:2 3 cells instead of 2: a,b,c\n  {path}:3 " in message
    assert message.count("instead of 2") == 5
    assert "--set data.max_rejects=0.1" in message
    assert "Put text that holds commas between double quotes" in message


def test_share_of_bad_rows_that_is_allowed_is_met_exactly(write):
    path = write("a.csv", "title,category\n" + "a,b,c\n" * 20 + GOOD)
    assert take(path, DataSettings(max_rejects=0.1))[0].rejected.rows == 20
    refusal(path, DataSettings(max_rejects=0.099))


def test_one_bad_row_of_a_small_file_stops_by_default(write):
    path = write("a.csv", f"title,category\na,b,c\n{GOOD[:900]}\n")
    assert f"{path}:2 3 cells" in refusal(path, DataSettings())


def test_file_of_bad_rows_alone_says_what_is_wrong_with_them(write):
    message = refusal(write("a.jsonl", '[{"title": "TV", "category": "A"}]'))
    assert "jq -c" in message


def test_bytes_of_another_encoding_later_in_the_file_are_named_with_their_line(write):
    early = "".join(f"手机 {i},电子\n" for i in range(40_000)).encode()
    path = write("a.csv", b"title,category\n" + early + "Caf\u00e9,Food\n".encode("cp1252") * 900)
    message = refusal(path, DataSettings())
    assert f"{path}:40002 bytes that are no utf-8 text: e9: Caf\\xe9,Food" in message
    assert "--set data.encoding=" in message


def test_quote_that_never_closes_stops_whatever_is_allowed(write):
    path = write("a.csv", f'title,category\n"13 laptop,radio\n{GOOD}')
    message = refusal(path, DataSettings(max_rejects=1.0))
    assert message.startswith(f"{path}:2: ")
    assert "Close the quote" in message


def test_line_of_a_text_in_quotes_is_never_taken_for_a_row(write):
    path = write("a.csv", f'title,category\n"My "13" laptop\nsecond line",radio\n{GOOD}')
    assert refusal(path).startswith(f"{path}:2: ")


def test_header_in_wrong_bytes_stops(write):
    message = refusal(
        write("a.csv", f"title,category,gr\u00f6\u00dfe\n{GOOD}", "cp1252"),
        DataSettings(encoding="utf-8"),
    )
    assert "a.csv:1: The file must be valid utf-8." in message


def test_mended_quotes_are_kept_and_counted(write):
    path = write("a.csv", f'title,category\n"13" laptop, red",radio\n14" TV,radio\n{GOOD}')
    report, kept, rejects = take(path)
    assert kept[0][1].fields == ('13" laptop, red',)
    assert kept[1][1].fields == ('14" TV',)
    assert report.mended.rows == 1
    assert report.mended.examples == [f"{path}:2"]
    assert not rejects


@pytest.mark.parametrize(
    "lines",
    [
        ['"13" laptop', 'second line",radio'],
        ['"13" laptop, red', 'more text",radio'],
        ['"13" laptop, red', "more text", 'to the end",radio'],
        ['"13" laptop, red', "", 'to the end",radio'],
        ['"13" laptop, red', "a, b, c", "d, e, f", 'to the end",radio'],
        ['"Best" mug,lamp', 'TV 40",radio'],
    ],
)
def test_lines_that_may_be_rows_or_one_text_are_passed_over_together(write, lines):
    content = "title,category\nTV,radio\n" + "\n".join([*lines, "next,lamp"]) + f"\n{GOOD}"
    report, kept, rejects = take(write("a.csv", content))
    places = [3 + number for number, line in enumerate(lines) if line]
    assert [(line, reason) for line, reason, _ in rejects] == [
        (place, "quotes that do not fit") for place in places
    ]
    assert report.mended.rows == 0
    assert [(row.fields, row.line) for _, row in kept[:2]] == [
        (("TV",), 2),
        (("next",), 3 + len(lines)),
    ]


def test_open_quote_passes_over_a_bounded_number_of_lines(write):
    bad = '"Best" mug,lamp\n' + "a,b,c\n" * 1500
    report, kept, _ = take(
        write("a.csv", f"title,category\n{bad}{GOOD}"), DataSettings(max_rejects=1)
    )
    assert (report.rejected.rows, len(kept)) == (1501, 180)


def test_bare_quotes_before_a_good_row_are_mended(write):
    lines = '"Best" mug,lamp\n13" TV,lamp\n"Finest" mug,lamp\n"one, two",lamp\n'
    report, kept, rejects = take(write("a.csv", f"title,category\n{lines}{GOOD}"))
    assert (report.mended.rows, rejects) == (2, [])
    assert [row.fields for _, row in kept[:2]] == [('"Best" mug',), ('13" TV',)]


def test_halves_of_characters_are_replaced_and_their_rows_counted(write):
    rows = [json.dumps({"title": title, "category": kind}) for title, kind in PLENTY]
    cut = ['{"title": "cut \\ud83d", "category": "radio"}', '{"title": "\\ud83d", "category": [1]}']
    report, kept, rejects = take(path := write("a.jsonl", "\n".join([*cut, *rows])))
    assert kept[0][1].fields == ("cut \ufffd",)
    assert report.replaced.examples == [f"{path}:1"]
    assert report.replaced.rows == len(rejects) == 1


def test_files_with_a_byte_order_mark_are_counted(write):
    paths = [write("a.csv", f"\ufefftitle,category\n{GOOD}"), write("b.csv", "title,category\n")]
    report = survey({"all": paths}, ALLOWED).report
    assert report.byte_order_marks == 1
    assert [file.byte_order_mark for file in report.files] == [True, False]


def test_cleaned_texts_are_counted_and_written_clean(write):
    path = write(
        "a.csv", f"title,category\nTom &amp; <b>Jerry</b>,radio\nplain  text,radio\n{GOOD}"
    )
    report, kept, _ = take(path)
    assert [row.fields[0] for _, row in kept[:2]] == ["Tom & Jerry", "plain text"]
    assert report.cleaned.examples == [f"{path}:2"]


def test_texts_stay_as_they_are_without_cleaning(write):
    path = write("a.csv", f"title,category\nTom &amp; Jerry  x,radio\n{GOOD}")
    report, kept, _ = take(path, DataSettings(clean=False))
    assert kept[0][1].fields == ("Tom &amp; Jerry  x",)
    assert report.cleaned.rows == 0


def test_encoding_that_was_guessed_is_in_the_report(write):
    path = write("a.csv", f"title,category\n手机壳红色,radio\n{GOOD}", "gb18030")
    report, kept, _ = take(path)
    assert kept[0][1].fields == ("手机壳红色",)
    assert report.files[0].encoding == "gb18030"
    assert f"read as gb18030: {path}" in report.lines()


def test_bom_inch_marks_and_nan_labels_in_one_file_are_told_apart(write):
    rows = f'40" TV,radio\n"13"" laptop",lamp\nthing,NaN\n,lamp\n \u200b,lamp\n{GOOD}'
    report, kept, rejects = take(write("a.csv", f"\ufefftitle,category\n{rows}"))
    assert [row.fields[0] for _, row in kept[:2]] == ['40" TV', '13" laptop']
    assert report.empty_label.rows == 1
    assert report.empty_text.rows == 2
    assert [line for line, _, _ in rejects] == [4, 5, 6]
