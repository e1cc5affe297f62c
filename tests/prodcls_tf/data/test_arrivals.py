from __future__ import annotations

import os

import pytest

from prodcls_tf.data.arrivals import Arrivals


@pytest.fixture
def arrivals(tmp_path):
    return Arrivals([tmp_path / "data"], window=2, settle_seconds=10)


def put(folder, text="title,category\na,b\n"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.csv").write_text(text)


def test_nothing_has_come_where_there_is_no_folder(arrivals):
    assert not arrivals.complete(100.0)


def test_files_count_when_they_have_stayed_the_same(arrivals, tmp_path):
    put(tmp_path / "data" / "span-1")
    assert [arrivals.complete(now) for now in (100.0, 109.0, 110.0)] == [False, False, True]


def test_file_that_grows_is_waited_for(arrivals, tmp_path):
    put(tmp_path / "data" / "span-1")
    arrivals.complete(100.0)
    put(tmp_path / "data" / "span-1", "title,category\na,b\nc,d\n")
    assert [arrivals.complete(now) for now in (110.0, 119.0, 120.0)] == [False, False, True]


def test_files_that_are_done_count_once(arrivals, tmp_path):
    put(tmp_path / "data" / "span-1")
    arrivals.complete(100.0)
    arrivals.complete(110.0)
    arrivals.done()
    assert not arrivals.complete(200.0)
    put(tmp_path / "data" / "span-2")
    assert [arrivals.complete(now) for now in (210.0, 220.0)] == [False, True]


def test_change_in_a_span_that_has_left_the_window_does_not_count(arrivals, tmp_path):
    for number in (1, 2, 3):
        put(tmp_path / "data" / f"span-{number}")
    arrivals.complete(100.0)
    arrivals.complete(110.0)
    arrivals.done()
    os.utime(tmp_path / "data" / "span-1" / "a.csv", (0, 0))
    assert [arrivals.complete(now) for now in (120.0, 140.0)] == [False, False]
