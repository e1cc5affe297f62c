"""The handle of the clients' process."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Optional

from tests.conftest import ROOT
from tests.serving.server.embedded import until
from tests.soak.load import Orders

_SAY_EVERY = 5.0


class Spread(NamedTuple):
    """Latencies in milliseconds."""

    requests: int
    p50: float
    p99: float
    most: float

    def __str__(self) -> str:
        return f"p50/p99 {self.p50:.0f}/{self.p99:.0f} ms"


@dataclasses.dataclass(frozen=True)
class Result:
    """What the clients saw, from their first request to their last.

    Args:
      latency: of the requests that were answered.
      phases: the same by phase.
      failures: latencies of the requests that failed, by code.
      reasons: the most frequent messages of failures, and how often each came.
      wrong: how many answers were wrong; `examples` has some.
      seen: for each client the versions that answered it, one after another.
      stuck: clients whose last request did not end in time.
    """

    latency: Spread
    phases: dict[str, Spread]
    failures: dict[str, Spread]
    reasons: dict[str, int]
    wrong: int
    examples: list[str]
    seen: list[list[int]]
    stuck: int

    @property
    def lost(self) -> int:
        """How many requests failed."""
        return sum(spread.requests for spread in self.failures.values())


class Load:
    """A running load: a context, which is entered when every client has had an answer.

    Args:
      orders: for the process.
      say: is told a line every few seconds.
    """

    def __init__(self, orders: Orders, say: Callable[[str], None]) -> None:
        self._orders, self._say = orders, say
        self._last: dict[str, Any] = {"answered": 0, "failed": {}, "wrong": 0, "newest": []}

    def __enter__(self) -> Load:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.load"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._write(json.dumps(dataclasses.asdict(self._orders)))
        self._wait(lambda: len(self._last["newest"]) == self._orders.clients, 180)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(30)
        self._reader.join(30)

    @property
    def answered(self) -> int:
        """How many requests have been answered."""
        return int(self._last["answered"])

    def failed(self, code: str) -> int:
        """How many requests have failed with this code."""
        return int(self._last["failed"].get(code, 0))

    def phase(self, name: str) -> None:
        """Keeps the latencies apart from now on."""
        self._write(name)

    def hold(self, seconds: float) -> None:
        """Lets it go on for so long."""
        end = time.monotonic() + seconds
        self._wait(lambda: time.monotonic() >= end, seconds + 30)

    def until_all_at(self, version: int, seconds: float = 120.0) -> None:
        """Waits until the last answer of each client is of this version."""
        self._wait(lambda: set(self._last["newest"]) == {version}, seconds)

    def until_answered(self, more: Optional[int] = None, seconds: float = 120.0) -> None:
        """Waits for so many further answers; None for some for each client."""
        wanted = self.answered + (more or 5 * self._orders.clients)
        self._wait(lambda: self.answered >= wanted, seconds)

    def until_failed(self, code: str, seconds: float = 60.0) -> None:
        """Waits until a further request has failed with this code."""
        before = self.failed(code)
        self._wait(lambda: self.failed(code) > before, seconds)

    def end(self) -> Result:
        """Ends the load; the clients wait for the answers to their last requests."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        until(lambda: "done" in self._last, self._orders.timeout + 60)
        last = self._last
        spreads = {
            key: {name: Spread(*numbers) for name, numbers in last[key].items()}
            for key in ("phases", "failures")
        }
        return Result(
            Spread(*last["latency"]), **spreads, reasons=last["reasons"], wrong=last["wrong"],
            examples=last["examples"], seen=last["seen"], stuck=last["stuck"],
        )  # fmt: skip

    def _wait(self, happened: Callable[[], bool], seconds: float) -> None:
        def done() -> bool:
            assert self._process.poll() is None, "the clients' process has ended by itself"
            return happened()

        try:
            until(done, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; the clients saw {self._summary()}") from None

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        began = said = time.monotonic()
        for line in self._process.stdout:
            self._last = json.loads(line)
            if time.monotonic() - said > _SAY_EVERY:
                said = time.monotonic()
                self._say(f"{said - began:.0f} s of load: {self._summary()}")

    def _summary(self) -> str:
        last = self._last
        newest = ", ".join(map(str, sorted(set(last["newest"])))) or "none"
        failed = ", ".join(f"{count} {code}" for code, count in last["failed"].items()) or "0"
        return (
            f"{last['answered']} answered, {failed} failed, {last['wrong']} wrong, "
            f"versions {newest}"
        )
