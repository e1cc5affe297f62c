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


@pytest.fixture
def learned(arrivals, tmp_path):
    """Two spans that are done."""
    for number in (1, 2):
        put(tmp_path / "data" / f"span-{number}")
    arrivals.complete(100.0)
    arrivals.complete(110.0)
    arrivals.done()
    return arrivals


def test_before_anything_is_done_all_files_wait(arrivals, tmp_path):
    put(tmp_path / "data")
    arrivals.complete(100.0)
    assert arrivals.waiting == [tmp_path / "data" / "a.csv"]
    assert arrivals.has_new_span


def test_file_that_came_or_changed_waits(learned, tmp_path):
    put(tmp_path / "data" / "span-2", "title,category\na,b\nc,d\n")
    (tmp_path / "data" / "span-1" / "b.csv").write_text("title,category\na,b\n")
    learned.complete(200.0)
    assert [str(path.relative_to(tmp_path)) for path in learned.waiting] == [
        "data/span-1/b.csv",
        "data/span-2/a.csv",
    ]
    assert not learned.has_new_span


def test_span_that_came_is_new(learned, tmp_path):
    put(tmp_path / "data" / "span-3")
    learned.complete(200.0)
    assert learned.has_new_span


def test_files_that_are_put_off_wait_for_others(learned, tmp_path):
    put(tmp_path / "data" / "span-2", "title,category\na,b\nc,d\n")
    learned.complete(200.0)
    assert learned.complete(210.0)
    learned.put_off()
    assert not learned.complete(300.0)
    (tmp_path / "data" / "span-2" / "b.csv").write_text("title,category\na,b\n")
    assert [learned.complete(now) for now in (310.0, 320.0)] == [False, True]
    assert len(learned.waiting) == 2
