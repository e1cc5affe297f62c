"""Files in parts: whatever the cuts, the rows and their lines are those of the whole file."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prodcls_tf.data import cutting, ledger
from prodcls_tf.data.intake import survey
from prodcls_tf.data.notes import FileNotes
from prodcls_tf.data.parts import plan
from prodcls_tf.data.reading import read_file
from prodcls_tf.errors import InputError
from prodcls_tf.settings import DataSettings
from tests.prodcls_tf.data.shop import PLENTY

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

SETTINGS = DataSettings(max_rejects=1.0)
ROWS = "".join(f"{title},{kind}\n" for title, kind in PLENTY)


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    monkeypatch.setattr(cutting, "PART_BYTES", 100)
    monkeypatch.setattr(cutting, "PART_ROWS", 10)


def in_parts(path, options=SETTINGS):
    """The number of parts, their rows, and the places of the rows passed over."""
    parts = plan({"all": [path]}, options)
    rejected = []
    notes = FileNotes(on_reject=lambda error: rejected.append((error.line, error.reason)))
    return len(parts), [row for part in parts for row in part.rows(options, notes)], rejected


def at_once(path, options=SETTINGS):
    rejected = []
    notes = FileNotes(on_reject=lambda error: rejected.append((error.line, error.reason)))
    return list(read_file(path, options, notes=notes)), rejected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_cut_between_records(write, encoding, end):
    path = write("a.csv", f"title,category\n手机壳红色,radio\n{ROWS}".replace("\n", end), encoding)
    count, rows, _ = in_parts(path)
    assert count > 20
    assert rows == at_once(path)[0]


def test_text_of_several_lines_is_never_cut(write):
    text = '"' + "one, more line\n" * 40 + '"'
    path = write("a.csv", f"title,category\n{text},radio\nTV,lamp\n{text},radio\n")
    count, rows, _ = in_parts(path)
    assert count == 2
    assert [row.line for row in rows] == [2, 43, 44]


def test_header_of_several_lines_stays_whole(write):
    header = '"' + "long\n" * 40 + '",title,category'
    path = write("a.csv", f"{header}\n" + "x,TV,radio\n" * 40)
    count, rows, _ = in_parts(path)
    assert count == 5
    assert [row.line for row in rows] == list(range(42, 82))


def test_sources_with_an_excel_line_and_empty_lines_keep_their_numbers(write):
    path = write("a.csv", "sep=;\n\ntitle;category\n\n" + "TV;radio\n\n" * 60)
    count, rows, _ = in_parts(path)
    assert count > 3
    assert rows == at_once(path)[0]


@pytest.mark.parametrize(
    "bad", [b"Caf\xe9,Audio", b"a,b,c", b'"a" "b" c,d,Audio', b'"13" TV",radio', b"lone\rend,radio"]
)
def test_bad_rows_are_those_of_the_whole_file(write, bad):
    content = b"title,category\n" + b"".join(bad + b"\n" + b"TV,radio\n" * 9 for _ in range(30))
    options = DataSettings(encoding="utf-8")
    count, rows, rejected = in_parts(write("a.csv", content), options)
    assert count > 10
    assert (rows, rejected) == at_once(write("a.csv", content), options)


def test_quote_that_never_closes_is_named_whatever_part_it_is_in(write):
    path = write("a.csv", f'title,category\n{ROWS}"13 laptop,radio\n{ROWS}')
    with pytest.raises(InputError, match=rf"{path}:182: .*Close the quote"):
        in_parts(path)


def test_cut_never_parts_the_bytes_of_a_broken_character_from_its_line(write):
    lines = b"".join(b"x%d\x81\x30\n" % number for number in range(90))
    path = write("a.csv", b"title,category\n" + lines)
    options = DataSettings(encoding="gb18030")
    assert in_parts(path, options)[1:] == at_once(path, options)


def test_json_lines_are_cut_after_any_line(write):
    lines = [json.dumps({"title": title, "category": kind}) for title, kind in PLENTY]
    path = write("a.jsonl", "\n".join([*lines[:50], "[1]", "", *lines[50:]]))
    count, rows, rejected = in_parts(path)
    assert count > 20
    assert (rows, rejected) == at_once(path)
    assert rejected == [(51, "no JSON object: a JSON array")]


def test_key_that_the_first_rows_lack_is_no_missing_column(write):
    lines = [json.dumps({"title": "TV"})] * 40 + [json.dumps({"title": "TV", "category": "A"})] * 9
    path = write("a.jsonl", "\n".join(lines))
    assert [row.category for row in in_parts(path)[1]] == [""] * 40 + ["A"] * 9


def test_parquet_is_cut_between_row_groups(tmp_path):
    path = tmp_path / "a.parquet"
    titles = [str(number) for number in range(100)]
    table = pa.table({"title": titles, "category": ["A"] * 100})
    pq.write_table(table, path, row_group_size=7)
    count, rows, _ = in_parts(path)
    assert count == 8
    assert [(row.fields[0], row.line) for row in rows] == [(t, int(t) + 1) for t in titles]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-7"])
def test_text_whose_line_ends_are_no_single_bytes_is_one_part(write, encoding):
    path = write("a.csv", f"title,category\n{ROWS}", encoding)
    options = DataSettings(encoding=encoding)
    assert in_parts(path, options)[0] == 1


def test_packed_file_is_one_part(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(f"title,category\n{ROWS}".encode()))
    count, rows, _ = in_parts(path)
    assert (count, len(rows)) == (1, 180)


def test_file_that_changed_says_so_whatever_else_is_wrong(write):
    path = write("a.csv", f"title,category\n{ROWS}")
    (_, second, *_) = plan({"all": [path]}, SETTINGS)
    write("a.csv", '"' * 3_001)
    with pytest.raises(InputError, match="must stay the same"):
        list(second.rows(SETTINGS, FileNotes()))


def written(cells):
    stream = io.StringIO()
    csv.writer(stream).writerows([("title", "category"), *cells])
    return stream.getvalue()


CELLS = st.text(alphabet='ab",; \n\r\té手\ufeff', max_size=30)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELLS, CELLS), max_size=40))
def test_any_table_is_read_in_parts_as_at_once(write, cells):
    path = write("any.csv", written(cells))
    options = DataSettings(encoding="utf-8", delimiter=",")
    assert in_parts(path, options)[1] == at_once(path, options)[0]


def outcome(read, path, options):
    """Rows and rejected rows, or what stops the reading."""
    try:
        return read(path, options)[-2:]
    except InputError as error:
        return str(error)


PIECES = st.sampled_from(
    ["a", "b c", '13" TV', '"', '""', '"x" y', '\\"', ",", "\n", '"ab"', "\r\n", '",', "d,e\n"]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=120))
def test_whatever_is_no_csv_is_read_in_parts_as_at_once(write, pieces):
    path = write("any.csv", "title,category\n" + "".join(pieces))
    options = DataSettings(encoding="utf-8", delimiter=",", max_rejects=1.0)
    assert outcome(in_parts, path, options) == outcome(at_once, path, options)


def test_everything_is_decided_alike_in_parts_and_at_once(write, monkeypatch):
    dirty = "".join(
        f"thing {i % 7},{'lamp' if i % 5 else 'radio'}\nonly {i},c{i}\n" for i in range(20)
    )
    paths = [
        write(f"{i}.csv", f"title,category\n{ROWS}{dirty}<br>,lamp\nx,\n1,2,3\n") for i in "ab"
    ]
    took = []
    for size in (100, 1 << 20):
        monkeypatch.setattr(cutting, "PART_BYTES", size)
        monkeypatch.setattr(ledger, "RUN_ROWS", size // 20)
        monkeypatch.setattr(ledger, "RANGE_ROWS", size // 10)
        intake, left_out = survey({"all": paths}, SETTINGS), []
        took.append(
            (list(intake.rows(left_out.append)), left_out, intake.report, intake.categories)
        )
    assert took[0] == took[1]
    assert len(took[0][1]) > 40


def test_repairs_of_json_are_counted_alike_in_parts_and_at_once(write, monkeypatch):
    cut = [json.dumps({"title": f"{title} \ud83d", "category": kind}) for title, kind in PLENTY]
    path = write("a.jsonl", "\ufeff" + "\n".join(cut))
    reports = []
    for size in (100, 1 << 20):
        monkeypatch.setattr(cutting, "PART_BYTES", size)
        reports.append(survey({"all": [path]}, SETTINGS).report)
    assert reports[0] == reports[1]
    assert (reports[0].replaced.rows, reports[0].byte_order_marks) == (180, 1)
