"""`prodcls tensorboard`: the curves of a run."""

from __future__ import annotations

import os
import sys
import urllib.parse
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
    address = f"http://localhost:{port}"
    terminal.out().print(f"TensorBoard of {logs}: {address}   (Ctrl-C ends it)")
    if page := trace_page(logs):
        terminal.out().print(f"Trace of the profiled steps: {address}{page}", soft_wrap=True)
    terminal.out().file.flush()
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs)]
    # What its libraries warn of is nothing that a user could mend.
    quiet = {"PYTHONWARNINGS": "ignore", **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    os.execve(
        sys.executable,
        [*command, "--host", "localhost", "--port", str(port)],
        quiet,
    )


def trace_page(logs: Path) -> str:
    """Finds the page of the newest profile's trace, which needs no network, unlike the dashboard.

    Args:
      logs: the folder that TensorBoard is given.

    Returns:
      What follows the address of TensorBoard; empty where nothing was profiled.
    """
    profiles = sorted(logs.glob("**/plugins/profile/*/*.xplane.pb"), key=lambda p: p.parent.name)
    if not profiles:
        return ""
    newest = profiles[-1]
    # The plugin calls a profile by where its `plugins` folder lies, and when it was made.
    run = newest.parents[3].relative_to(logs) / newest.parent.name
    host = newest.name.removesuffix(".xplane.pb")
    of = urllib.parse.urlencode({"run": run, "tag": "trace_viewer@^", "host": host})
    plugin = "/data/plugin/profile"
    asked = {"is_streaming": "true", "is_oss": "true", "trace_data_url": f"{plugin}/data?{of}"}
    return f"{plugin}/trace_viewer_index.html?{urllib.parse.urlencode(asked)}"
