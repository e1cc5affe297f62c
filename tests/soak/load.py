"""The clients' process: asks in a closed loop, checks every answer, and tells what it has seen.

    python -m tests.soak.load

The first line on stdin is the JSON of `Orders`, each further one names a phase whose latencies are
kept apart, and the end of stdin ends the load. Twice a second stdout gets a line of JSON with what
was seen so far, at the end one with everything. It needs no TensorFlow, so that the clients load
as light as they can on the cores that they share with the server.
"""

from __future__ import annotations

import json
import math
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from prodcls_tf.errors import ServerError
from serving.client import Answer, Client, Tls

MOST_ROWS = 32
_EVERY = 0.5
# A client that was refused comes back after so long: at once, it would only measure itself.
_BACKOFF = 0.05
_EXAMPLES, _REASONS = 5, 50


@dataclass(frozen=True)
class Orders:
    """What the process is to do.

    Args:
      target: the server's gRPC address.
      clients: that ask at a time, each through a connection of its own.
      questions: titles, each with its right category.
      whole: whether an answer has all categories, so that the scores of a row sum to 1.
      label: the version label to ask for; None for the newest version.
      retries: after UNAVAILABLE; None for as many as `timeout` allows.
      timeout: seconds for a request.
      pause: seconds between an answer and the next request.
      tls: the PEM files of authority, own certificate and key; None for plain text.
      limit: seconds after which the process ends by itself.
    """

    target: str
    clients: int
    questions: list[tuple[str, str]]
    whole: bool = True
    label: Optional[str] = None
    retries: Optional[int] = 0
    timeout: float = 60.0
    pause: float = 0.0
    tls: Optional[list[str]] = None
    limit: float = 3600.0


@dataclass
class Tally:
    """What was seen, by all clients. Its lists only grow, by appends, which need no lock."""

    phase: str = "start"
    latencies: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, list[float]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seen: list[list[int]] = field(default_factory=list)

    def so_far(self) -> dict[str, Any]:
        """Returns counts."""
        return {
            "answered": sum(map(len, list(self.latencies.values()))),
            "failed": {code: len(times) for code, times in list(self.failures.items())},
            "wrong": len(self.wrong),
            "newest": [versions[-1] for versions in self.seen if versions],
        }

    def everything(self) -> dict[str, Any]:
        """Returns counts, latencies, and the versions that each client saw one after another."""
        times = [time for phase in self.latencies.values() for time in phase]
        return {
            **self.so_far(),
            "latency": _spread(times),
            "phases": {phase: _spread(times) for phase, times in self.latencies.items()},
            "failures": {code: _spread(times) for code, times in self.failures.items()},
            "reasons": dict(self.reasons.most_common(_REASONS)),
            "examples": self.wrong[:_EXAMPLES],
            "seen": self.seen,
        }


def fault(answers: list[Answer], categories: list[str], whole: bool) -> str:
    """Says what is wrong with the answers to one request, '' if nothing is."""
    if len({answer.version for answer in answers}) != 1 or len(answers) != len(categories):
        return f"{len(answers)} answers for {len(categories)} rows, or of several versions"
    for answer, category in zip(answers, categories, strict=True):
        scores = [prediction.score for prediction in answer.ranked]
        total = sum(scores)
        if answer.category != category:
            return f"{answer.category} in place of {category}"
        if not all(map(math.isfinite, scores)) or scores != sorted(scores, reverse=True):
            return f"the scores {scores}"
        if abs(total - 1) > 1e-4 if whole else total > 1 + 1e-4:
            return f"scores that sum to {total}"
    return ""


def ask(orders: Orders, number: int, tally: Tally, over: threading.Event) -> None:
    """One client: asks until it is over."""
    drawn, seen = random.Random(number), tally.seen[number]
    tls = _tls(orders.tls) if orders.tls else None
    with Client(
        orders.target, label=orders.label, retries=orders.retries, timeout=orders.timeout, tls=tls
    ) as client:
        while not over.is_set():
            rows = drawn.choices(orders.questions, k=drawn.randint(1, MOST_ROWS))
            began, pause = time.perf_counter(), orders.pause
            try:
                answers = client.classify([title for title, _ in rows])
                took = (time.perf_counter() - began) * 1000
                tally.latencies.setdefault(tally.phase, []).append(took)
                found = fault(answers, [category for _, category in rows], orders.whole)
                if found:
                    tally.wrong.append(found)
                if not seen or seen[-1] != answers[0].version:
                    seen.append(answers[0].version)
            except ServerError as error:
                took = (time.perf_counter() - began) * 1000
                tally.failures.setdefault(error.code, []).append(took)
                tally.reasons[f"{error.code}: {error.details[:100]}"] += 1
                pause = _BACKOFF
            except Exception as error:  # an answer that cannot be read is a wrong one
                tally.wrong.append(f"{type(error).__name__}: {error}")
                pause = _BACKOFF
            if pause:
                over.wait(pause)


def _tls(files: list[str]) -> Tls:
    authority, certificate, key = map(Path, files)
    return Tls(authority, certificate, key)


def main() -> None:
    """Does what stdin says."""
    orders = Orders(**json.loads(sys.stdin.readline()))
    tally, over = Tally(seen=[[] for _ in range(orders.clients)]), threading.Event()
    clients = [
        threading.Thread(target=ask, args=(orders, number, tally, over), daemon=True)
        for number in range(orders.clients)
    ]
    for thread in (*clients, threading.Thread(target=_listen, args=(tally, over), daemon=True)):
        thread.start()
    until = time.monotonic() + orders.limit
    while not over.wait(_EVERY) and time.monotonic() < until:
        _tell(tally.so_far())
    over.set()
    end = time.monotonic() + orders.timeout + 5
    for thread in clients:
        thread.join(max(0.0, end - time.monotonic()))
    _tell({"done": True, "stuck": sum(t.is_alive() for t in clients), **tally.everything()})


def _listen(tally: Tally, over: threading.Event) -> None:
    for line in sys.stdin:
        tally.phase = line.strip()
    over.set()


def _spread(times: list[float]) -> list[float]:
    """Count, median, 99th percentile and maximum, in milliseconds."""
    ordered = sorted(times) or [0.0]
    ranks = [math.ceil(share * len(ordered)) - 1 for share in (0.5, 0.99, 1.0)]
    return [len(times), *(round(ordered[rank], 2) for rank in ranks)]


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
