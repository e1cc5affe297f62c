from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path

import pytest

from pipeline.run_log import RunLog


def test_loggers_and_warnings_go_to_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy = logging.getLogger("test.noisy")
    handler = logging.StreamHandler(sys.stderr)
    noisy.addHandler(handler)
    noisy.propagate = False
    try:
        with warnings.catch_warnings(), RunLog(tmp_path / "run.log"):
            warnings.simplefilter("always")
            noisy.warning("a logger with a handler of its own")
            logging.getLogger("prodcls_tf.x").info("what the library does")
            warnings.warn("a warning", FutureWarning, stacklevel=1)
        assert (noisy.handlers, noisy.propagate) == ([handler], False)
    finally:
        noisy.removeHandler(handler)
    text = (tmp_path / "run.log").read_text()
    for words in ("of its own", "library does", "a warning"):
        assert words in text
    assert capsys.readouterr().err == ""


def test_loggers_that_come_later_are_taken_over_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunLog(tmp_path / "run.log") as log:
        late = logging.getLogger("test.late")
        handler = logging.StreamHandler(sys.stderr)
        late.addHandler(handler)
        log.take_over()
        late.warning("late")
    late.removeHandler(handler)
    assert capsys.readouterr().err == ""
    assert "late" in (tmp_path / "run.log").read_text()
