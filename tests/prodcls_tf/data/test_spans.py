from __future__ import annotations

from pathlib import Path

import pytest

from prodcls_tf.data.spans import beside_spans, check_window, find_spans, in_window, spans_of
from prodcls_tf.errors import InputError


@pytest.fixture
def data(tmp_path):
    for name in ("span-1", "span-2", "span-10", "span-x", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "span-3").write_text("a file, no folder")
    return tmp_path


def test_spans_are_ordered_by_number(data):
    assert [span.number for span in find_spans(data)] == [1, 2, 10]


def test_folder_without_spans_has_none(tmp_path):
    assert find_spans(tmp_path) == []
    assert find_spans(tmp_path / "missing") == []


def test_number_that_two_spans_bear_is_refused(data):
    (data / "span-02").mkdir()
    with pytest.raises(InputError, match="a number of its own"):
        find_spans(data)


def test_window_takes_the_newest_spans(data):
    assert in_window([data], 2) == [data / "span-2", data / "span-10"]
    assert len(in_window([data], 0)) == 3
    assert len(in_window([data], 9)) == 3


def test_path_without_spans_stays_as_it_is(data):
    assert in_window([data / "other", Path("a.csv")], 1) == [data / "other", Path("a.csv")]


def test_file_knows_its_span():
    assert spans_of([Path("a/span-7/b/c.csv"), Path("a/span-7/d.csv"), Path("e.csv")]) == [7]


def test_window_without_any_span_is_refused(tmp_path):
    (tmp_path / "span-2024-01").mkdir()
    check_window([tmp_path], 0)
    with pytest.raises(InputError, match=r"data\.spans=3 and .*span-2024-01: no span.*span-2, "):
        check_window([tmp_path, Path("a.csv")], 3)


def test_window_is_fine_where_one_of_the_paths_has_spans(data):
    check_window([Path("a.csv"), data], 1)


def test_files_beside_spans_are_found(data, write):
    write("span-1/a.csv", "x"), write("span-10/deep/b.csv", "x")
    write("span-x/c.csv", "x"), write("new.csv", "x"), write(".hidden/d.csv", "x")
    assert beside_spans(data) == [data / "new.csv", data / "span-3", data / "span-x" / "c.csv"]


def test_nothing_is_beside_spans_where_there_are_none(write, tmp_path):
    write("new.csv", "x")
    assert beside_spans(tmp_path) == []
