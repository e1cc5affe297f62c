from __future__ import annotations

import re
import threading

import pytest

from prodcls_tf import progress
from prodcls_tf.cli.steps import Steps
from prodcls_tf.progress import report


def lines(capsys) -> list[str]:
    """What was drawn, without the times at the ends of the lines."""
    shown = capsys.readouterr().err.splitlines()
    return [re.sub(r"\s+[\d.]+ s$", "", line).strip() for line in shown]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch, capsys):
    """A console of its own for each test, on the captured standard error."""
    monkeypatch.setattr("prodcls_tf.cli.terminal._err", None)
    monkeypatch.setenv("COLUMNS", "100")


def test_finished_task_is_one_line(capsys):
    with Steps() as steps, progress.listening(steps):
        report("1/2 Transform", 0, 1)
        report("1/2 Transform", 1, 1, "cached")
    assert [" ".join(line.split()) for line in lines(capsys)] == ["✓ 1/2 Transform cached"]


def test_quick_part_of_a_task_is_not_worth_a_line(capsys):
    with Steps() as steps, progress.listening(steps):
        report("Trainer", 0, 1)
        report("tokenizing", 0, 10)
        report("tokenizing", 10, 10)
        report("Trainer", 1, 1, "3.4 s")
    assert lines(capsys) == ["✓ Trainer"]


def test_opening_ends_with_the_first_event(capsys):
    with Steps("loading") as steps, progress.listening(steps):
        report("Trainer", 1, 1)
    assert lines(capsys) == ["✓ loading", "✓ Trainer"]


def test_task_that_fails_is_marked(capsys):
    steps = Steps()
    with progress.listening(steps):
        report("Trainer", 0, 1)
    steps.__exit__(RuntimeError, RuntimeError(), None)
    assert [" ".join(line.split()) for line in lines(capsys)] == ["✗ Trainer stopped"]


def test_failure_while_opening_leaves_the_word_to_the_error(capsys):
    steps = Steps("loading").__enter__()
    steps.__exit__(RuntimeError, RuntimeError(), None)
    assert lines(capsys) == []


def test_drawing_waits_for_no_thread_that_reports():
    # It once did, while the reporting thread waited for rich: classify stood still.
    steps = Steps()
    with steps._lock:
        drawing = threading.Thread(target=steps.running, daemon=True)
        drawing.start()
        drawing.join(timeout=10)
        assert not drawing.is_alive()
