"""Parquet files."""

from __future__ import annotations

import datetime
import os

import pytest

from prodcls_tf.data.reading import read_rows
from prodcls_tf.errors import InputError
from prodcls_tf.settings import DataSettings

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

SETTINGS = DataSettings()

# Its peak of memory in kB: what a child's getrusage tells can be its parent's.
_PEAK = """
import re
from pathlib import Path
from prodcls_tf.data.reading import read_rows
from prodcls_tf.settings import DataSettings

for _ in read_rows([Path({path!r})], DataSettings()):
    pass
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.fixture
def table(tmp_path):
    def _table(columns, **options):
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table(columns), path, **options)
        return path

    return _table


def values(path, settings=SETTINGS):
    return [(*row.fields, row.category, row.line) for row in read_rows([path], settings)]


def refusal(path):
    with pytest.raises(InputError) as caught:
        values(path)
    return str(caught.value)


def test_rows_are_numbered_across_row_groups(table):
    path = table({"category": ["A"] * 10, "title": [str(i) for i in range(10)]}, row_group_size=3)
    assert values(path) == [(str(i), "A", i + 1) for i in range(10)]


def test_nulls_become_empty(table):
    assert values(table({"title": ["TV", None], "category": [None, "B"]})) == [
        ("TV", "", 1),
        ("", "B", 2),
    ]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        ([7, None], ["7", ""]),
        ([1.5, float("nan")], ["1.5", ""]),
        ([True, None], ["true", ""]),
        ([datetime.date(2024, 2, 3), None], ["2024-02-03", ""]),
        ([b"caf\xc3\xa9", None], ["café", ""]),
        ([None, None], ["", ""]),
    ],
)
def test_columns_of_other_types_become_text(table, column, texts):
    assert [row[0] for row in values(table({"title": column, "category": ["A", "B"]}))] == texts


def test_dictionary_column_becomes_text(table):
    path = table({"title": ["x", "y"], "category": pa.array(["A", None]).dictionary_encode()})
    assert [row[1] for row in values(path)] == ["A", ""]


def test_missing_column_is_refused(table):
    message = refusal(table({"titles": ["x"], "category": ["A"]}))
    assert "'title' is missing" in message
    assert "--text 'titles'" in message


def test_nested_column_is_refused(table):
    assert "list<" in refusal(table({"title": [["x"]], "category": ["A"]}))


def test_bytes_that_are_no_text_are_refused(table):
    assert "'title'" in refusal(table({"title": [b"\xff\xfe"], "category": ["A"]}))


def test_file_that_is_no_parquet_is_refused(write):
    message = refusal(write("a.parquet", "title,category\nTV,Video\n"))
    assert "whole and readable" in message


def test_file_that_is_cut_off_is_refused(table):
    path = table({"title": ["x"] * 999, "category": ["A"] * 999})
    path.write_bytes(path.read_bytes()[:-20])
    assert "whole and readable" in refusal(path)


def test_table_without_rows_is_refused(table):
    empty = pa.array([], pa.string())
    assert "at least one row" in refusal(table({"title": empty, "category": empty}))


def test_long_row_group_is_not_held_in_memory(table, fresh_python):
    peaks = []
    for count in (1_000, 100_000):
        titles = [os.urandom(300).hex() for _ in range(count)]
        path = table({"title": titles, "category": ["A"] * count}, row_group_size=count)
        peaks.append(int(fresh_python(_PEAK.format(path=str(path)))))
    assert path.stat().st_size > 55 << 20
    assert peaks[1] - peaks[0] < 25 << 10
