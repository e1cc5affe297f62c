"""`prodcls tensorboard`: the curves of a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from prodcls_tf.cli import options, terminal
from prodcls_tf.errors import InputError


def tensorboard(
    out: options.Out = Path("runs/demo"),
    port: Annotated[int, typer.Option(help="Port on this machine.", min=0, max=65535)] = 6006,
) -> None:
    """Show a run's training in TensorBoard, on this machine alone."""
    logs = out / "logs"
    if not logs.is_dir():
        raise InputError(
            f"TensorBoard needs the logs of a run. Received {out}, which has no folder logs. "
            "Name the folder that `prodcls run --out` was given."
        )
    terminal.out().print(f"TensorBoard of {logs}: http://localhost:{port}   (Ctrl-C ends it)")
    terminal.out().file.flush()
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs)]
    os.execv(sys.executable, [*command, "--host", "localhost", "--port", str(port)])
