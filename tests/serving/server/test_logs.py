from __future__ import annotations

import logging

import pytest

from serving.server.logs import LogfmtFormatter


def record(message, *arguments, error=None):
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("serving.x", logging.WARNING, "", 0, message, arguments, info)


@pytest.mark.parametrize(
    ("message", "written"),
    [
        ("up", "message=up"),
        ("Model %s", 'message="Model shoes"'),
        ('a "quoted" =', r'message="a \"quoted\" ="'),
        ("two\nlines", r'message="two\nlines"'),
    ],
)
def test_message_is_one_value_on_one_line(message, written):
    arguments = ("shoes",) if "%s" in message else ()
    line = LogfmtFormatter().format(record(message, *arguments))
    assert line.endswith(f" level=WARNING logger=serving.x {written}")
    assert line.startswith("time=20")
    assert "\n" not in line


def test_error_is_told_by_kind_and_place_without_its_text():
    try:
        raise ValueError("a product's text")
    except ValueError as error:
        line = LogfmtFormatter().format(record("It failed.", error=error))
    assert "error=ValueError" in line
    assert "test_logs.py:" in line
    assert "product" not in line
