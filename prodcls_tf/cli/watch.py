"""`prodcls watch`: trains again whenever new products have come."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated, Optional

import typer

from prodcls_tf.cli import options, terminal

# Exit codes of a run that has come to its end: pushed, or refused by a gate.
_ENDED = (0, 1)
_LONGEST_PAUSE = 3600.0
_END_SECONDS = 60.0


def watch(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...", help="Folder of spans (span-1, span-2, ...), or of product files."
        ),
    ],
    text: options.Text = None,
    label: options.Label = None,
    out: options.Out = Path("runs/mine"),
    config: options.Config = None,
    hparams: options.Hparams = None,
    set_: options.Set = None,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", help="How often it looks.", min=0.1)
    ] = 60.0,
    settle: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", help="How long files must stay the same to be complete.", min=0.0
        ),
    ] = 30.0,
    debug: options.Debug = False,
) -> None:
    """Train again when new products come, from the model that serves; until Ctrl-C or SIGTERM.

    Each training is `prodcls run --warm-start --if-new`, in a process of its own. One that fails
    is tried again after a pause, which doubles up to an hour, or when the files change.

    Example: prodcls watch data --text title --label category --set data.spans=3
    """
    from prodcls_tf.data.arrivals import Arrivals

    settings = options.load_settings(config, set_, text, label, hparams)
    arrivals = Arrivals(files, settings.data.spans, settle)
    command = [sys.executable, "-m", "prodcls_tf.cli", "run", *map(str, files)]
    command += _options(text, label, out, config, hparams, set_)
    signal.signal(signal.SIGTERM, _end)
    terminal.note(f"watching {' '.join(map(str, files))} every {every:g} s; Ctrl-C ends it")
    failures, again = 0, 0.0
    while True:
        if arrivals.complete(time.monotonic()):
            failures, again = 0, 0.0
            arrivals.done()
        elif not again or time.monotonic() < again:
            time.sleep(every)
            continue
        _say("products have come" if not failures else "trying again")
        code = _run(command)
        if code in _ENDED:
            again = 0.0
            continue
        pause = min(_LONGEST_PAUSE, every * 2**failures)
        failures, again = min(failures + 1, 32), time.monotonic() + pause
        _say(f"the run failed (exit code {code}); next try in {pause:.0f} s, or with other files")


def _options(
    text: Optional[list[str]],
    label: Optional[str],
    out: Path,
    config: Optional[Path],
    hparams: Optional[Path],
    set_: Optional[list[str]],
) -> list[str]:
    words = ["--out", str(out), "--warm-start", "--if-new"]
    given: list[tuple[str, Optional[object]]] = [
        *(("--text", column) for column in text or ()),
        ("--label", label),
        ("--config", config),
        ("--hparams", hparams),
        *(("--set", one) for one in set_ or ()),
    ]
    for name, value in given:
        words += [] if value is None else [name, str(value)]
    return words


def _run(command: list[str]) -> int:
    """Runs to the end; a signal that ends this process ends the run first."""
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def _end(number: int, frame: Optional[FrameType]) -> None:
    raise SystemExit(0)


def _say(text: str) -> None:
    terminal.note(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}")
