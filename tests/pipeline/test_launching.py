from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

from ml_metadata.errors import InternalError

from pipeline.launching import no_room, shown_error
from prodcls_tf.errors import InputError, OutputError, RunError

LOG = Path("out/run.log")


def _raised(*errors: Exception) -> Exception:
    """The last of several errors, each raised because of the one before."""
    cause: Exception | None = None
    for error in errors:
        error.__cause__, cause = cause, error
    return errors[-1]


def test_own_error_below_others_is_shown_as_it_is() -> None:
    ours = InputError("the message")
    assert shown_error("Transform", _raised(ours, RuntimeError("beam")), LOG) is ours


def test_full_disk_is_an_output_error() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    shown = shown_error("Trainer", _raised(full, RuntimeError("wrapped")), LOG)
    assert isinstance(shown, OutputError)
    assert "Trainer" in str(shown)


def test_full_disk_is_found_in_what_beam_tells_of_a_worker() -> None:
    told = "Traceback ...\nOSError: [Errno 28] No space left on device [while running 'Survey']\n"
    shown = shown_error("ProductExampleGen", RuntimeError(told), LOG)
    assert isinstance(shown, OutputError)
    assert "ProductExampleGen: OSError: [Errno 28] No space left on device [" in str(shown)


def test_full_disk_is_found_in_what_ml_metadata_tells() -> None:
    told = "Error when executing query: database or disk is full query: INSERT INTO `Context`( ..."
    shown = shown_error("Pusher", InternalError(told), LOG)
    assert isinstance(shown, OutputError)
    assert "in the step Pusher: database or disk is full. Free some space" in str(shown)


def test_full_disk_between_steps_is_an_output_error() -> None:
    shown = no_room(_raised(OSError(errno.ENOSPC, "No space left on device"), OSError("copying")))
    assert isinstance(shown, OutputError)
    assert "Received a full one: [Errno 28]" in str(shown)
    assert no_room(OSError(errno.EACCES, "Permission denied")) is None


def test_other_error_names_step_and_log() -> None:
    shown = shown_error("Transform", ValueError("odd shape\nmany more lines"), LOG)
    assert isinstance(shown, RunError)
    assert str(shown) == (
        "Every step of the pipeline must succeed. Received from Transform: ValueError: odd shape. "
        "The whole story is in out/run.log."
    )


def test_runner_imports_no_tensorflow(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python("import sys, pipeline.runner; print('tensorflow' in sys.modules)")
    assert printed.strip() == "False"
