"""The two that are compared, each in a process of its own: the SavedModel called, and served."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Optional

import grpc

from serving.client import Client
from serving.exchange import Model, predict_request
from serving.messages import PredictResponse
from tests.benchmarks.serving.timing import timed

Rows = Sequence[Sequence[str]]
NAME = "prodcls"
_PREDICT = "/tensorflow.serving.PredictionService/Predict"


class _Process:
    def __init__(self, module: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


class InProcess(_Process):
    """The SavedModel, called."""

    def __init__(self, version: Path) -> None:
        super().__init__("tests.benchmarks.serving.in_process", version)

    def __enter__(self) -> InProcess:
        self.fields: list[str] = self._read()
        return self

    def time(self, rows: Rows, callers: int, seconds: float) -> list[float]:
        """Seconds of each call with these rows."""
        job = {"rows": rows, "callers": callers, "seconds": seconds}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> list:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("The process that calls the SavedModel has ended.")
        return json.loads(line)


class Server(_Process):
    """The SavedModel, served; the callers are threads of this process."""

    def __init__(self, base: Path, *flags: str) -> None:
        self.port = _free_port()
        told = (f"--model_name={NAME}", f"--model_base_path={base}", f"--port={self.port}")
        super().__init__("serving.server", *told, *flags)

    def __enter__(self) -> Server:
        self._channels = contextlib.ExitStack()
        with Client(f"localhost:{self.port}", model=NAME) as client:
            client.wait_until_ready(180)
        return self

    def __exit__(self, *error: object) -> None:  # type: ignore[override]
        self._channels.close()
        super().__exit__(None, None, None)

    def time(
        self, questions: Sequence[Rows], seconds: float, fields: Sequence[str], pause: float = 0.0
    ) -> list[float]:
        """Seconds of each request; every question has a caller, with a connection of its own."""
        self.versions: list[set[int]] = [set() for _ in questions]
        with contextlib.ExitStack() as channels:
            calls = []
            for rows, seen in zip(questions, self.versions, strict=True):
                options = [("grpc.use_local_subchannel_pool", 1)]
                channel = grpc.insecure_channel(f"localhost:{self.port}", options)
                channels.enter_context(channel)
                encoded = [tuple(text.encode() for text in row) for row in rows]
                request = predict_request(Model(NAME), fields, encoded).SerializeToString()
                calls.append(_Caller(channel.unary_unary(_PREDICT), request, len(rows), seen))
            return timed(calls, seconds, pause)


class _Caller:
    """Sends a request that was serialized before: what a client costs is not measured."""

    def __init__(
        self, predict: grpc.UnaryUnaryMultiCallable, request: bytes, rows: int, seen: set[int]
    ) -> None:
        self._predict, self._request, self._rows, self._seen = predict, request, rows, seen

    def __call__(self) -> None:
        answer = PredictResponse.FromString(self._predict(self._request, timeout=120))
        if answer.outputs["scores"].tensor_shape.dim[0].size != self._rows:
            raise RuntimeError("An answer must have a row for each of its request.")
        self._seen.add(answer.model_spec.version.value)


class Pushing(threading.Thread):
    """Pushes a copy of a version every few seconds, as a pipeline would, until it is told to end.

    Args:
      base: folder of the versions.
      seconds: between two pushes.
    """

    def __init__(self, base: Path, seconds: float) -> None:
        super().__init__(daemon=True)
        self._base, self._seconds, self._over = base, seconds, threading.Event()
        self.pushed = 0

    def run(self) -> None:
        """Pushes."""
        while not self._over.wait(self._seconds):
            push_copy(self._base)
            self.pushed += 1

    def stop(self) -> int:
        """Ends it; returns how many versions were pushed."""
        self._over.set()
        self.join(60)
        return self.pushed


def push_copy(base: Path) -> Path:
    """Puts a copy of the newest version beside it, in one stroke."""
    newest = max(int(path.name) for path in base.iterdir() if path.name.isdigit())
    staging = base / f".tmp-{newest + 1}"
    subprocess.run(["cp", "-r", base / str(newest), staging], check=True)
    return staging.rename(base / str(newest + 1))


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
