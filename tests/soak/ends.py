"""Rows 9 and 10: the server's process ends under load, calmly or not."""

from __future__ import annotations

import contextlib
import signal
import socket
import time

from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.serving.server.embedded import NAME, asking, until
from tests.soak.served import Served
from tests.soak.shop import Shop
from tests.soak.trial import Trial

_IN_FLIGHT = 64
_SLOW_MS = 400
# Seconds of load between one end of the server and the next.
_EACH = 40


def _rounds(trial: Trial) -> int:
    return max(1, int(trial.settings.seconds // _EACH))


def calm_end(trial: Trial) -> None:
    """Row 9: SIGTERM while sixty-four slow requests, and those of the load, are under way."""
    shop, rounds = Shop(trial), _rounds(trial)
    for _ in range(rounds):
        with shop.served("--drain_seconds=120") as server, shop.load(server) as load:
            load.hold(trial.settings.seconds / rounds)
            early = load.failed("CANCELLED")
            trial.check(not early, f"none is CANCELLED before SIGTERM, not {early}")
            _terminate(trial, server)
            result = load.end()
        # Refused, or sent to a server that was gone; accepted ones were answered, see below.
        trial.judge(result, may_fail=("UNAVAILABLE", "CANCELLED"))
        # gRPC's core cancels what it has not handed to Python when the connections are closed.
        cancelled = result.failures.get("CANCELLED")
        trial.note(f"{cancelled.requests if cancelled else 0:,} of the refused were CANCELLED")
        cut_off = {r: n for r, n in result.reasons.items() if "Socket closed" in r}
        trial.check(not cut_off, f"no request of the load is cut off, not {cut_off}")


def _terminate(trial: Trial, server: Served) -> None:
    serving = health_pb2.HealthCheckResponse
    with asking(server.port) as client:
        watch = health_pb2_grpc.HealthStub(client.channel).Watch(
            health_pb2.HealthCheckRequest(service=NAME), timeout=300
        )
        trial.check(next(watch).status == serving.SERVING, "health is SERVING before")
        calls = [client.slowly(_SLOW_MS, timeout=200) for _ in range(_IN_FLIGHT)]
        until(lambda: server.in_flight() >= _IN_FLIGHT)
        time.sleep(1)
        before = sum(call.done() for call in calls)
        began = time.monotonic()
        server.process.send(signal.SIGTERM)
        trial.check(next(watch).status == serving.NOT_SERVING, "health says NOT_SERVING")
        told = time.monotonic() - began
        early = sum(call.done() for call in calls)
        trial.check(early < _IN_FLIGHT, "health says so before the requests are answered")
        answered = sum(call.exception(200) is None for call in calls)
        trial.check(answered == _IN_FLIGHT, f"all {_IN_FLIGHT} slow requests are answered")
    code = server.process.wait(150)
    trial.check(code == 0, f"the exit code is 0, not {code}")
    trial.note(
        f"{answered} of {_IN_FLIGHT} slow requests answered ({before} before SIGTERM), "
        f"NOT_SERVING after {1000 * told:.0f} ms, exit code {code} after "
        f"{time.monotonic() - began:.1f} s"
    )


def sudden_end(trial: Trial) -> None:
    """Row 10: kill -9 and a new start; half of the clients try again, half do not."""
    shop, rounds, port, took = Shop(trial), _rounds(trial), _free_port(), []
    half = max(1, trial.settings.clients // 2)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(shop.served(port=port))
        patient = stack.enter_context(shop.load(server, clients=half, retries=None, timeout=240))
        strict = stack.enter_context(shop.load(server, clients=half))
        for _ in range(rounds):
            strict.hold(trial.settings.seconds / rounds)
            server.kill()
            strict.until_failed("UNAVAILABLE")
            server = stack.enter_context(shop.served(port=port))
            began = time.monotonic()
            for load in (patient, strict):
                load.until_answered(seconds=60)
            took.append(time.monotonic() - began)
        results = patient.end(), strict.end()
    trial.note(f"{rounds} kills; both kinds answered again {max(took):.1f} s after the restart")
    trial.judge(results[0], who="clients that try again: ")
    trial.judge(results[1], may_fail=("UNAVAILABLE",), who="clients that do not: ")
    trial.check(results[1].lost > 0, "clients that do not try again see UNAVAILABLE")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
