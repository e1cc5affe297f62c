"""JSON lines files."""

from __future__ import annotations

import gzip

import pytest

from prodcls_tf.data import json_rows
from prodcls_tf.data.reading import read_rows
from prodcls_tf.errors import InputError
from prodcls_tf.settings import DataSettings

SETTINGS = DataSettings()


def values(path, settings=SETTINGS):
    return [(*row.fields, row.category, row.line) for row in read_rows([path], settings)]


def refusal(path, settings=SETTINGS):
    with pytest.raises(InputError) as caught:
        values(path, settings)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json"])
def test_lines_are_records(write, name):
    path = write(name, '{"category": "A", "title": "TV"}\r\n\r\n{"title": "手机", "category": "B"}')
    assert values(path) == [("TV", "A", 1), ("手机", "B", 3)]


def test_byte_order_mark_and_gzip_are_taken_off(write):
    content = '\ufeff{"title": "TV", "category": "A"}\n'.encode()
    assert values(write("a.jsonl.gz", gzip.compress(content))) == [("TV", "A", 1)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12", "12"),
        ("007.50e0", None),
        ("7.50", "7.50"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("true", "true"),
        ("null", ""),
        ("NaN", ""),
        ('"nan"', "nan"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"cut \\ud83d"', "cut \ufffd"),
    ],
)
def test_values_become_text(write, value, text):
    path = write("a.jsonl", f'{{"title": {value}, "category": "A"}}\n')
    if text is None:
        assert ":1: " in refusal(path)
    else:
        assert values(path) == [(text, "A", 1)]


def test_key_that_some_records_leave_out_is_empty_there(write):
    path = write("a.jsonl", '{"category": "A"}\n{"title": "TV", "category": "B"}\n')
    assert values(path) == [("", "A", 1), ("TV", "B", 2)]


def test_key_that_no_record_has_is_a_missing_column(write):
    message = refusal(write("a.jsonl", '{"name": "TV", "category": "A"}\n' * 3))
    assert "'title' is missing" in message
    assert "'name', 'category'" in message


def test_key_missing_in_all_records_looked_ahead_is_a_missing_column(write, monkeypatch):
    monkeypatch.setattr(json_rows, "LOOK_AHEAD", 3)
    assert "'title' is missing" in refusal(write("a.jsonl", '{"category": "A"}\n' * 5))


@pytest.mark.parametrize("line", ['{"title": "TV"', "TV", '["TV", "A"]', '"TV"', "{} {}", "12"])
def test_bad_line_is_refused_with_its_number(write, line):
    path = write("a.jsonl", '{"title": "TV", "category": "A"}\n' + line + "\n")
    assert refusal(path).startswith(f"{path}:2: ")


def test_deep_nesting_is_refused_with_its_line(write):
    path = write("a.jsonl", "[" * 100_000)
    assert refusal(path).startswith(f"{path}:1: ")


def test_json_array_is_refused_with_the_way_to_lines(write):
    message = refusal(write("a.json", '[{"title": "TV", "category": "A"}]'))
    assert "JSON array" in message
    assert "jq -c" in message


@pytest.mark.parametrize("value", ["{}", '["TV"]'])
def test_nested_value_is_refused_with_key_and_line(write, value):
    path = write("a.jsonl", f'\n{{"title": {value}, "category": "A"}}\n')
    message = refusal(path)
    assert message.startswith(f"{path}:2: ")
    assert "'title'" in message


def test_nested_value_in_a_key_that_is_not_used_is_fine(write):
    path = write("a.jsonl", '{"title": "TV", "category": "A", "tags": ["x"]}\n')
    assert values(path) == [("TV", "A", 1)]


def test_latin_1_bytes_are_refused_with_their_line(write):
    path = write("a.jsonl", '{"title": "Café", "category": "A"}\n', "latin-1")
    assert refusal(path, DataSettings(encoding="utf-8")).startswith(f"{path}:1: ")


def test_file_without_records_is_refused(write):
    assert "at least one row" in refusal(write("a.jsonl", "\n"))
