"""A server in a process of its own, and what can be seen of it from outside."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Optional, cast

import psutil

from serving.client import Client, ModelVersion, Tls
from tests.serving.server import embedded
from tests.serving.server.embedded import Process, until

_FIGURES = "/monitoring/prometheus/metrics"


class Served:
    """`python -m serving.server` with these flags: a context, entered when it answers.

    Attributes:
      target: its gRPC address.
      port: of gRPC.
      rest_port: of REST.
      process: it.
      client: asks it, without trying again.
    """

    figures_path = _FIGURES

    def __init__(self, *flags: str, port: int = 0, tls: Optional[Tls] = None) -> None:
        self._flags, self._tls = (f"--port={port}", "--rest_api_port=-1", *flags), tls

    def __enter__(self) -> Served:
        self.process = Process(*self._flags)
        try:
            self.port, self.rest_port = self.process.ports()
        except BaseException:
            self.process.__exit__()
            raise
        self.target = f"127.0.0.1:{self.port}"
        self.client = Client(self.target, retries=0, tls=self._tls)
        self._seen = psutil.Process(self.process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.__exit__()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._seen.is_running() and self._seen.status() != psutil.STATUS_ZOMBIE

    @property
    def megabytes(self) -> float:
        """Its resident memory."""
        return float(self._seen.memory_info().rss) / 2**20

    @property
    def threads(self) -> int:
        """How many threads it has."""
        return int(self._seen.num_threads())

    @property
    def files(self) -> int:
        """How many files and sockets it has open."""
        return int(self._seen.num_fds())

    def kill(self) -> None:
        """Ends it without a word."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def figure(self, name: str, *labels: str) -> float:
        """Returns a figure of Prometheus, summed over the samples that bear these labels."""
        return float(embedded.figure(cast(Any, self), name, *labels))

    def in_flight(self) -> float:
        """Returns how many requests it is answering."""
        return self.figure("prodcls_serving_requests_in_flight")

    def version(self, number: int) -> Optional[ModelVersion]:
        """Returns how it reports a version; None if it knows of none."""
        return next((v for v in self.client.status() if v.version == number), None)

    def until_live(self, number: int, seconds: float = 120.0) -> float:
        """Waits until a version is AVAILABLE, and returns the seconds that took."""

        def live() -> bool:
            version = self.version(number)
            assert version is None or not version.error, f"version {number}: {version}"
            return version is not None and version.available

        began = time.monotonic()
        until(live, seconds)
        return time.monotonic() - began

    def until_ended(self, number: int, seconds: float = 60.0) -> str:
        """Waits until a version is at END, and returns its error."""

        def ended() -> bool:
            version = self.version(number)
            return version is not None and version.state == "END"

        until(ended, seconds)
        return getattr(self.version(number), "error", "")
