"""Finding files, and telling whether they changed."""

from __future__ import annotations

import os

import pytest

from prodcls_tf.data.files import find_files, fingerprint, other_files
from prodcls_tf.errors import InputError


def test_folder_gives_supported_files_sorted_without_hidden_ones(write, tmp_path):
    for name in ("b.csv", "a.jsonl", "sub/c.parquet", "sub/d.CSV.gz", "e.tsv", "f.ndjson"):
        write(name, "x")
    for name in (".hidden.csv", ".git/x.csv", "notes.txt", "z.parquet.gz"):
        write(name, "x")
    names = [str(path.relative_to(tmp_path)) for path in find_files([tmp_path])]
    assert names == ["a.jsonl", "b.csv", "e.tsv", "f.ndjson", "sub/c.parquet", "sub/d.CSV.gz"]


def test_files_with_other_endings_are_found_in_folders_alone(write, tmp_path):
    for name in ("day1/a.csv", "day1/b.xlsx", "day2/c.txt", ".git/x.txt", "d.bz2"):
        write(name, "x")
    assert other_files([tmp_path / "day*"]) == [tmp_path / "day1/b.xlsx", tmp_path / "day2/c.txt"]
    assert other_files([tmp_path / "day1/a.csv", tmp_path / "gone", tmp_path / "day1"]) == [
        tmp_path / "day1/b.xlsx"
    ]


def test_pattern_gives_its_matches_sorted(write, tmp_path):
    write("2.csv", "x"), write("1.csv", "x"), write("deep/down/3.csv", "x")
    assert [path.name for path in find_files([str(tmp_path / "**" / "*.csv")])] == [
        "1.csv",
        "2.csv",
        "3.csv",
    ]


def test_pattern_that_matches_folders_only_looks_into_them(write, tmp_path):
    write("day1/a.csv", "x"), write("day2/b.csv", "x")
    assert [path.name for path in find_files([tmp_path / "day*"])] == ["a.csv", "b.csv"]


def test_pattern_that_matches_files_and_folders_takes_both(write, tmp_path):
    write("day1.csv", "x"), write("day2/b.csv", "x"), write("day2/c.txt", "x")
    assert [path.name for path in find_files([tmp_path / "day*"])] == ["day1.csv", "b.csv"]
    assert other_files([tmp_path / "day*"]) == [tmp_path / "day2/c.txt"]


def test_matched_folder_without_product_files_is_passed_over_beside_others(write, tmp_path):
    write("exports/a.csv", "x"), write("exports/pictures/b.png", "x")
    assert [path.name for path in find_files([tmp_path / "exports" / "*"])] == ["a.csv"]
    with pytest.raises(InputError, match="A folder must hold at least one product file"):
        find_files([tmp_path / "exports" / "pict*"])


def test_file_with_brackets_in_its_name_is_no_pattern(write):
    path = write("shop [1].csv", "x")
    assert find_files([path]) == [path]


def test_file_that_is_named_twice_comes_once(write, tmp_path):
    path = write("a.csv", "x")
    assert find_files([path, tmp_path, str(tmp_path / "*.csv")]) == [path]


def test_unsupported_ending_is_refused_with_those_supported(write):
    path = write("shop.xlsx", "x")
    with pytest.raises(InputError, match=r"\.csv.*shop\.xlsx.*ending is not supported"):
        find_files([path])


def test_unsupported_match_of_a_pattern_is_refused(write, tmp_path):
    write("a.csv", "x"), write("a.xlsx", "x")
    with pytest.raises(InputError, match=r"a\.xlsx"):
        find_files([tmp_path / "a.*"])


def test_missing_path_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv, which does not"):
        find_files([tmp_path / "gone.csv"])


def test_pattern_without_match_is_refused(tmp_path):
    with pytest.raises(InputError, match="matches none"):
        find_files([tmp_path / "*.csv"])


def test_folder_without_product_files_is_refused(write, tmp_path):
    write("notes.txt", "x")
    with pytest.raises(InputError, match="holds none"):
        find_files([tmp_path])


def test_no_path_at_all_is_refused():
    with pytest.raises(InputError, match="Received none"):
        find_files([])


def test_fifo_is_refused_as_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="not a regular file"):
        find_files([tmp_path / "pipe.csv"])


def test_fingerprint_is_the_same_for_the_same_files_in_another_folder(write):
    assert fingerprint([write("x/a.csv", "1")]) == fingerprint([write("y/a.csv", "1")])


@pytest.mark.parametrize(("name", "content"), [("x/a.csv", "2"), ("x/b.csv", "1")])
def test_fingerprint_tells_other_contents_and_names(write, name, content):
    before = fingerprint([write("x/a.csv", "1")])
    assert fingerprint([write(name, content)]) != before


def test_fingerprint_tells_where_one_file_ends_and_the_next_begins(write):
    first = fingerprint([write("x/a.csv", "12"), write("x/b.csv", "3")])
    assert fingerprint([write("y/a.csv", "1"), write("y/b.csv", "23")]) != first


def test_fingerprint_of_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv"):
        fingerprint([tmp_path / "gone.csv"])
