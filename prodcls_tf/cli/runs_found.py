"""Finds output folders of runs, and the run that a name means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.history import History, is_out_folder, read_history
from pipeline.training import Training, Unfinished
from prodcls_tf.cli import terminal
from prodcls_tf.errors import InputError

_SHOWN = 10


def find_histories(folders: Sequence[Path]) -> list[History]:
    """Reads the output folders among the folders given, and those right below the others.

    Raises:
      InputError: a folder is missing, or has no run.
    """
    found: dict[Path, None] = {}
    for folder in folders:
        outs = _outs(folder)
        if not outs:
            raise InputError(
                "Runs are listed from output folders, or folders of them. Received "
                f"{folder}, which {'has none' if folder.is_dir() else 'is no folder'}. Name what "
                "`prodcls run --out` was given, or make a first run: prodcls demo"
            )
        found.update(dict.fromkeys(outs))
    return [read_history(out) for out in found]


def name_of(run: Training | Unfinished) -> str:
    """Names a run as `find_run` takes it.

    Example:
      >>> name_of(Training(Path("runs/mine").absolute(), 6))
      'runs/mine:6'
    """
    folder = terminal.nearby(run.out)
    return folder if run.id is None else f"{folder}:{run.id}"


def find_run(name: str) -> tuple[Training, tuple[str, ...]]:
    """Finds the run that a name means.

    Args:
      name: FOLDER:ID, or FOLDER where one model alone was trained in it.

    Returns:
      The run, and what could not be read in its folder.

    Raises:
      InputError: there is no such run, or several.
    """
    folder, number = _parted(name)
    history = read_history(folder)
    if number is None:
        found = list(history.trainings)
    else:
        found = [training for training in history.trainings if training.id == number]
    if len(found) == 1:
        return found[0], history.problems
    names = [name_of(training) for training in history.trainings]
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    if found:
        raise InputError(
            f"A run must be one. Received {name}, in which {len(found)} models were trained. "
            f"Name one of them: {shown}"
        )
    raise InputError(
        f"A run must be one whose training ended. Received {name}{_why_none(history, number)}. "
        + (f"Name one of: {shown}" if names else "There is none in this folder.")
    )


def _outs(folder: Path) -> list[Path]:
    """The output folders that a folder stands for."""
    folder = folder.expanduser()
    if is_out_folder(folder):
        return [folder.absolute()]
    try:
        below = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise InputError(
            f"Runs are listed from folders that can be read. Received {folder}: {error.strerror}. "
            "Check its permissions."
        ) from None
    return [out.absolute() for out in below if is_out_folder(out)]


def _parted(name: str) -> tuple[Path, int | None]:
    """Parts a name into folder and id."""
    folder = Path(name).expanduser()
    if is_out_folder(folder):
        return folder, None
    before, colon, number = name.rpartition(":")
    # int() takes other digits and blanks too; isascii keeps to what `list` prints.
    if colon and before and number.isascii() and number.isdigit():
        folder = Path(before).expanduser()
        if is_out_folder(folder):
            return folder, int(number)
    outs = _outs(folder)
    more = (
        f"Name one of its output folders: {', '.join(terminal.nearby(out) for out in outs[:5])}"
        if outs
        else "`prodcls runs list` names all there are."
    )
    raise InputError(
        "A run is named by its output folder, or by that and an id as in runs/mine:6. "
        f"Received {name}, which is no run. {more}"
    )


def _why_none(history: History, number: int | None) -> str:
    for unfinished in history.unfinished:
        if unfinished.id == number:
            return f", which has no model: its training {_ENDS[unfinished.state]}"
    if history.problems and not history.trainings:
        return f" ({'; '.join(history.problems)})"
    return ""


_ENDS = {"under way": "is under way", "killed": "was killed", "failed": "failed"}
