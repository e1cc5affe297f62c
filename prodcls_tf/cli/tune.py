"""`prodcls tune`: searches for better settings."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Optional

import typer

from prodcls_tf.cli import options, terminal
from prodcls_tf.cli.run import announce, command_line, find_sources, guided


def tune(
    files: options.Products = None,
    text: options.Text = None,
    label: options.Label = None,
    out: options.Out = Path("runs/mine"),
    train: options.Train = None,
    val: options.Val = None,
    test: options.Test = None,
    trials: Annotated[
        Optional[int], typer.Option(metavar="N", help="Trainings to try, at most.", min=1)
    ] = None,
    max_minutes: Annotated[
        Optional[float], typer.Option(metavar="N", help="When the search ends at the latest.")
    ] = None,
    workers: Annotated[
        Optional[int], typer.Option(metavar="N", help="Trials at a time; one a GPU.", min=1)
    ] = None,
    config: options.Config = None,
    hparams: options.Hparams = None,
    set_: options.Set = None,
    debug: options.Debug = False,
) -> None:
    """Search for better settings: KerasTuner tries some, on the rows that choose the best.

    Example: prodcls tune products.csv --text title --label category --trials 20 --max-minutes 60
    """
    from pipeline.runner import search
    from prodcls_tf.cli.search_result import show_search

    given = {"trials": trials, "max_minutes": max_minutes, "workers": workers}
    overrides = [f"tuning.{name}={value}" for name, value in given.items() if value is not None]
    settings = options.load_settings(config, [*(set_ or ()), *overrides], text, label, hparams)
    sources = find_sources(files, train, val, test, settings.data.spans)
    announce(settings, sources, out)
    with guided():
        found = search(settings, sources, out)
    show_search(found)
    program, folder = terminal.program(), shlex.quote(str(out))
    words = command_line(sources, settings, out, config, set_)
    steps = [("see how the search went", f"{program} tensorboard --out {folder}")]
    if found.best:
        best = [*words, "--hparams", str(out / "hparams.yaml")]
        steps.insert(0, ("train with what was found", f"{program} run {shlex.join(best)}"))
    terminal.next_steps(steps)
