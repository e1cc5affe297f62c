"""What commands say about files that they pass over."""

from __future__ import annotations

import pytest

from prodcls_tf.cli.found import find_files, find_splits
from prodcls_tf.errors import InputError


@pytest.fixture
def put(tmp_path):
    def _put(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return _put


def test_files_with_other_endings_are_noted_and_counted(put, call, capsys, tmp_path):
    put("a.csv", *(f"{number}.xlsx" for number in range(5)))
    assert find_files([tmp_path]) == [tmp_path / "a.csv"]
    said = capsys.readouterr().err
    assert "note  5 files passed over, since their endings are not supported: " in said
    assert "2.xlsx and 2 more" in said


def test_nothing_is_noted_where_all_is_read(put, call, capsys, tmp_path):
    put("span-1/a.csv", "span-2/b.csv")
    assert len(find_splits({"all": [tmp_path]}, window=1)["all"]) == 1
    assert capsys.readouterr().err == ""


def test_files_beside_spans_are_noted_once(put, call, capsys, tmp_path):
    put("span-1/a.csv", "span-2024-01/b.csv", "c.csv")
    found = find_splits({"train": [tmp_path], "val": [tmp_path]}, window=0)
    assert found["train"] == [tmp_path / "span-1" / "a.csv"]
    (note,) = capsys.readouterr().err.splitlines()
    assert "2 files passed over, since of " in note
    assert "c.csv" in note
    assert "span-2024-01/b.csv" in note


def test_window_without_spans_stops_a_run(put, call, tmp_path):
    put("span-2024-01/b.csv")
    with pytest.raises(InputError, match="no span"):
        find_splits({"all": [tmp_path]}, window=2)
    assert call("run", tmp_path, "--set", "data.spans=2").code == 2
