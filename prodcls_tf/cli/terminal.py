"""What the commands print with: results on standard output, all else on standard error."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional, TextIO

from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

_THEME = Theme({"good": "green", "bad": "bold red", "note": "yellow", "soft": "dim"})
_WIDEST = 100

_out: Optional[Console] = None
_err: Optional[Console] = None


def out() -> Console:
    """Returns the console of results."""
    global _out
    if _out is None:
        _out = _console(sys.stdout)
    return _out


def err() -> Console:
    """Returns the console of progress, notes and errors."""
    global _err
    if _err is None:
        _err = _console(sys.stderr)
    return _err


def keep_real_streams() -> None:
    """Binds both consoles to copies of the file descriptors, which may then be turned away."""
    global _out, _err
    _out = _console(_copy(1, sys.stdout))
    _err = _console(_copy(2, sys.stderr))


def heading(text: str) -> None:
    """Prints a line that begins a part of a result."""
    out().print(f"\n[bold]{text}[/bold]")


def note(text: str) -> None:
    """Prints something that a user should know, and that stops nothing."""
    wrapped = err().is_terminal
    err().print(Text.assemble(("  note  ", "note"), text), soft_wrap=not wrapped)


def program() -> str:
    """Returns how this program is called from here: its name, or its path if that is not found."""
    if shutil.which("prodcls"):
        return "prodcls"
    if Path(sys.argv[0]).name == "__main__.py":
        return "python -m prodcls_tf.cli"
    return shlex.quote(nearby(sys.argv[0]))


def nearby(path: str | Path) -> str:
    """Writes a path as seen from here, where that is shorter."""
    path = Path(path)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def say_error(kind: str, message: str) -> None:
    """Prints why a command ends."""
    err().print()
    # In a log or a pipe, a line stays a line.
    wrapped = err().is_terminal
    err().print(Text.assemble((f"{kind}  ", "bad"), message), soft_wrap=not wrapped)


@contextlib.contextmanager
def busy(what: str) -> Iterator[None]:
    """Turns a spinner while something short goes on, on a terminal alone."""
    # rich would fetch what libraries print to standard error back onto the terminal.
    spinner = Spinner("dots", f" {what}", style="good")
    live = Live(
        Padding(spinner, (0, 0, 0, 1)),
        console=err(),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    if not err().is_terminal:
        yield
        return
    with live:
        yield


def next_steps(steps: list[tuple[str, str]]) -> None:
    """Prints what to type next: a remark and a command each, in one piece to be copied."""
    heading("Next")
    for remark, command in steps:
        out().print(f"  [soft]{remark}[/soft]")
        # A command is never wrapped or cut: it is there to be copied.
        for line in command.splitlines():
            out().print(Text(f"    {line}"), soft_wrap=True)


def table(*columns: str, left: int = 1) -> Table:
    """Returns an empty table in the style of all: no boxes, figures to the right.

    Args:
      *columns: the headers.
      left: so many of the first columns hold words, the others figures.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="soft")
    made.add_column(columns[0])
    for number, column in enumerate(columns[1:], start=1):
        made.add_column(column, justify="left" if number < left else "right")
    return made


def show(made: Table) -> None:
    """Prints a `table`, indented as all results are."""
    out().print(Padding(made, (0, 0, 0, 2), expand=False))


def counted(number: int, one: str = "row", many: str = "") -> str:
    """Writes a number with its noun.

    Example:
      >>> counted(1), counted(2500), counted(2, "category", "categories")
      ('1 row', '2,500 rows', '2 categories')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def seconds(value: float) -> str:
    """Writes a duration as people read it.

    Example:
      >>> seconds(0.44), seconds(48.2), seconds(72)
      ('0.4 s', '48 s', '1 min 12 s')
    """
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def _console(stream: TextIO) -> Console:
    console = Console(file=stream, theme=_THEME, highlight=False, emoji=False)
    if console.width > _WIDEST:
        console.width = _WIDEST
    return console


def _copy(descriptor: int, like: TextIO) -> TextIO:
    encoding = getattr(like, "encoding", None) or "utf-8"
    return os.fdopen(os.dup(descriptor), "w", encoding=encoding, errors="replace", buffering=1)
