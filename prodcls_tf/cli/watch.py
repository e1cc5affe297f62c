"""`prodcls watch`: trains again whenever new products have come."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from prodcls_tf.cli import options, terminal
from prodcls_tf.errors import ProdclsError, SettingsError

if TYPE_CHECKING:
    from prodcls_tf.data.arrivals import Arrivals
    from prodcls_tf.settings import Settings

# Exit codes of a run that has come to its end: pushed, or refused by a gate.
_ENDED = (0, 1)
_LONGEST_PAUSE = 3600.0
_END_SECONDS = 60.0


class On(str, Enum):
    """What is trained on at once; other files wait."""

    new = "new"
    drift = "drift"


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
    on: Annotated[
        On,
        typer.Option(
            help="new: whatever comes. drift: a new span, or products unlike those accepted; "
            "others wait for such."
        ),
    ] = On.new,
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
    if on is On.drift and not settings.checks.enabled:
        raise SettingsError(
            "Drift is told by what was accepted. Received --on drift with checks.enabled=false, "
            "by which nothing is accepted. Leave out one of them."
        )
    arrivals = Arrivals(files, settings.data.spans, settle)
    command = [sys.executable, "-m", "prodcls_tf.cli", "run", *map(str, files)]
    command += _options(text, label, out, config, hparams, set_)
    signal.signal(signal.SIGTERM, _end)
    terminal.note(f"watching {' '.join(map(str, files))} every {every:g} s; Ctrl-C ends it")
    failures, again = 0, 0.0
    while True:
        why = ""
        if arrivals.complete(time.monotonic()):
            # What a failed run was given is not learned: any other files may mend it.
            at_once = on is On.new or failures > 0
            why = "products have come" if at_once else _why(arrivals, settings, out)
            if why:
                failures = 0
                arrivals.done()
            else:
                arrivals.put_off()
                _say("products have come that are like those accepted: they wait")
        elif failures and time.monotonic() >= again:
            why = "trying again"
        if not why:
            time.sleep(every)
            continue
        _say(why)
        code = _run(command)
        if code in _ENDED:
            failures = 0
            continue
        pause = min(_LONGEST_PAUSE, every * 2**failures)
        failures, again = min(failures + 1, 32), time.monotonic() + pause
        _say(f"the run failed (exit code {code}); next try in {pause:.0f} s, or with other files")


def _why(arrivals: Arrivals, settings: Settings, out: Path) -> str:
    """Says why to train on the files that have come; empty where they may wait."""
    from pipeline import accepted
    from pipeline.out_folder import OutFolder
    from pipeline.schema_proto import allowed_categories, read_schema
    from prodcls_tf.data.drift import drift, profile_files

    if arrivals.has_new_span:
        return "products have come"
    try:
        state = accepted.newest(OutFolder(out.expanduser()).schema)
        if state is None:
            return "products have come, and none were accepted before"
        now = profile_files(arrivals.waiting, settings.data)
        known = allowed_categories(read_schema(state.schema))
        found = drift(now, state.baseline().splits, settings, known)
    except ProdclsError:
        # The run tells what is wrong, and how to mend it.
        return "products have come"
    return f"products have drifted: {found[0].message}" if found else ""


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
