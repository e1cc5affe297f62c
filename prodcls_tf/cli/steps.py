"""Draws the progress of long work: what is done as lines that stay, what goes on below them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Optional

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from prodcls_tf.cli import terminal
from prodcls_tf.progress import Event

_TASK_WIDTH = 32
_TIME_WIDTH = 12
# Without a terminal, what goes on is said this often; what is done is said always.
_PLAIN_EVERY = 10.0
# Parts of a step that took less are not worth a line of their own.
_WORTH_A_LINE = 1.0


@dataclass
class _Task:
    event: Event
    depth: int
    started: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


class Steps:
    """Listens to progress and draws it, within a `with` block.

    A task that begins while another one goes on is a part of it, and is drawn below it, indented.
    A task ends when its `done` reaches its `total`.

    Args:
      opening: what goes on until the first event; '' where that comes at once.

    Example:
      >>> from prodcls_tf import progress
      >>> with Steps() as steps, progress.listening(steps):  # doctest: +SKIP
      ...     progress.report("reading", 10, 10)
    """

    def __init__(self, opening: str = "") -> None:
        self._console = terminal.err()
        self._opening = opening
        self._tasks: dict[str, _Task] = {}
        # Beam reports from threads of its own.
        self._lock = threading.RLock()
        self._live = Live(
            _Running(self), console=self._console, refresh_per_second=8, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip

    def __enter__(self) -> Steps:
        if self._console.is_terminal:
            self._live.start()
        if self._opening:
            self(Event(self._opening, 0, 1))
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._live.is_started:
            self._live.stop()
        if error is not None:
            # What fails while opening is no fault of opening: the error speaks for itself.
            self._tasks.pop(self._opening, None)
            for task in self._tasks.values():
                self._say(task, "bad", "✗", "stopped")
        self._tasks.clear()

    def __call__(self, event: Event) -> None:
        """Takes note of one event."""
        with self._lock:
            if self._opening in self._tasks and event.task != self._opening:
                self._finish(self._tasks[self._opening])
            task = self._tasks.get(event.task)
            if task is None:
                task = self._tasks[event.task] = _Task(event, len(self._tasks))
            task.event = event
            if event.total is not None and event.done >= event.total:
                self._finish(task)
            elif not self._live.is_started and time.monotonic() - task.said > _PLAIN_EVERY:
                task.said = time.monotonic()
                self._say(task, "soft", "…", _remark(event))

    def _finish(self, task: _Task) -> None:
        del self._tasks[task.event.task]
        if task.depth == 0 or task.seconds >= _WORTH_A_LINE:
            detail = task.event.detail
            # A step says its seconds itself; they stand at the end of the line already.
            self._say(task, "good", "✓", "" if detail.endswith(" s") else detail)

    def _say(self, task: _Task, style: str, mark: str, remark: str) -> None:
        mark = mark if task.depth == 0 else "·"
        line = _line(task, Text(mark, style), Text(remark, "soft"))
        self._console.print(line, width=self._console.width - 3)

    def running(self) -> list[_Task]:
        """Returns the tasks that go on, the outermost first."""
        # Without the lock: rich asks while it holds one of its own, for which a thread that
        # prints a line waits in turn. A copy of a dict's values is made in one go.
        return list(self._tasks.values())


class _Running:
    """What is drawn below the finished lines, anew at each refresh."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._spinner = Spinner("dots", style="good")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        spinner = self._spinner.render(console.get_time())
        lines: list[RenderableType] = []
        for task in self._steps.running():
            mark = spinner if task.depth == 0 else Text("·", "soft")
            lines.append(_line(task, mark, _bar(task.event)))
        # Room for the ^C that a terminal writes behind the last line, which must not be wrapped.
        yield from console.render(Group(*lines), options.update_width(options.max_width - 3))


def _line(task: _Task, mark: RenderableType, middle: RenderableType) -> Table:
    """One task in a line: mark, what is done, a remark or a bar, time."""
    line = Table.grid(padding=(0, 1, 0, 0), expand=True)
    line.add_column(width=2 + 2 * min(task.depth, 1), justify="right")
    line.add_column(width=_TASK_WIDTH - 2 * min(task.depth, 1), no_wrap=True)
    line.add_column(ratio=1, no_wrap=True)
    line.add_column(width=_TIME_WIDTH, justify="right", no_wrap=True)
    line.add_row(mark, _name(task), middle, Text(terminal.seconds(task.seconds), "soft"))
    return line


def _name(task: _Task) -> Text:
    number, blank, name = task.event.task.partition(" ")
    if blank and "/" in number and number.replace("/", "").isdigit():
        return Text.assemble((f"{number} ", "soft"), name)
    return Text(task.event.task, "" if task.depth == 0 else "soft")


def _bar(event: Event) -> RenderableType:
    if not event.total or event.total == 1:
        return Text(_remark(event), "soft")
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=16)
    row.add_column(no_wrap=True)
    bar = ProgressBar(total=event.total, completed=event.done, width=16, complete_style="good")
    row.add_row(bar, Text(_remark(event), "soft"))
    return row


def _remark(event: Event) -> str:
    if event.total is not None and event.total > 1:
        share = f"{100 * event.done // event.total}%"
        return f"{share}  {event.detail}".rstrip()
    if event.done and event.total is None:
        return f"{event.done:,} {event.detail}".rstrip()
    return event.detail
