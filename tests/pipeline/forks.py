"""Runs of the pipeline to which something happens in a chosen step, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .conftest import ROOT, Shop

# Loads everything once. For each line of its input, a step, a fault and seconds, it forks a process
# that runs the pipeline, and in which the fault happens so many seconds after that step has got its
# folders, or when it is about to begin, for less than 0; `-` stands for no step. It prints how each
# process ended.
_FORKS = """
import os, signal, sys, threading, time, traceback
from pathlib import Path
import pipeline.collecting, pipeline.pipeline, pipeline.pushing, pipeline.trainer_fn
import pipeline.transform_fn
from pipeline.runner import run
from prodcls_tf import progress
from prodcls_tf.errors import OutputError
from prodcls_tf.settings import Settings

settings, products, out = map(Path, sys.argv[1:])

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def fill():
    size = 1 << 30
    with Path(out, "filler").open("ab") as filler:
        while size >= 4096:
            try:
                os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, size)
            except OSError:
                size //= 2

def folders(step):
    return set(Path(out, "pipeline", step).glob("[a-z]*/*"))

def later(fault, step, seconds, before):
    while folders(step) == before:
        time.sleep(0.01)
    time.sleep(seconds)
    fault()

def go(step, fault, seconds):
    def listen(event):
        if event.task.split(" ")[-1] != step or event.done:
            return
        if seconds < 0:
            fault()
            return
        arguments = (fault, step, seconds, folders(step))
        threading.Thread(target=later, args=arguments, daemon=True).start()
    with progress.listening(listen):
        run(Settings.load(settings), {"all": [products]}, out)

for line in sys.stdin:
    step, fault, seconds = line.split()
    child = os.fork()
    if child == 0:
        sys.stdin.close()
        code = 1
        try:
            go(step, {"kill": kill, "fill": fill}[fault], float(seconds))
            code = 0
        except OutputError as error:
            print(error, file=sys.stderr, flush=True)
            code = 2
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    print("ENDED", os.waitstatus_to_exitcode(status), flush=True)
"""


class Forks:
    """Asks `_FORKS` for runs of a shop's pipeline.

    Args:
      shop: whose; its folder is on the disk that can be filled.
      folder: gets the settings and what the runs say.
      overrides: of the shop's settings.
    """

    def __init__(self, shop: Shop, folder: Path, *overrides: str) -> None:
        settings = folder / "settings.yaml"
        settings.write_text(shop.settings(*overrides).to_yaml())
        self._said = folder / "stderr"
        self._filler = shop.out / "filler"
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKS, str(settings), str(shop.products), str(shop.out)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=self._said.open("w"),
        )  # fmt: skip

    def killed(self, step: str, seconds: float) -> int:
        """Runs the pipeline, killed so many seconds into a step; returns the exit code."""
        return self._run(step, "kill", seconds)

    def filled(self, step: str, seconds: float) -> tuple[int, str]:
        """Runs the pipeline on a disk that fills up meanwhile, and frees it afterwards.

        Returns:
          The exit code, 2 for an `OutputError`, and all that was said.
        """
        before = self._said.stat().st_size
        code = self._run(step, "fill", seconds)
        self._filler.unlink()
        with self._said.open() as said:
            said.seek(before)
            return code, said.read()

    def run(self) -> int:
        """Runs the pipeline; returns the exit code."""
        return self._run("-", "kill", 0.0)

    def close(self) -> None:
        """Ends the process that forks."""
        self._process.kill()
        self._process.wait(30)

    def _run(self, step: str, fault: str, seconds: float) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{step} {fault} {seconds}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("ENDED "):
                return int(line.split()[1])
        raise AssertionError("the process that forks has ended")
