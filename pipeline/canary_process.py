"""`python -m pipeline.canary_process FLAGS`: a model server that ends when its starter is gone.

A pipeline may be killed at any moment, and must not leave a server behind. It holds the other end
of this process's stdin, which the system closes for it.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading


def _end_with_the_starter() -> None:
    # Not through sys.stdin: its lock, held here, would spoil the end of the interpreter.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_starter, daemon=True).start()
    # By its name, as a shell would start it: the pipeline knows nothing of what is in there.
    runpy.run_module("serving.server", run_name="__main__", alter_sys=True)
