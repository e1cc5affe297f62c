"""Figures for Prometheus, under the names of TF Serving.

Clients choose the model's name in a request, so a name that is no model's makes no series.
"""

from __future__ import annotations

import bisect
import contextlib
import logging
import math
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from serving.server.batching import Runner
from serving.server.registry import State, VersionStatus
from serving.server.servable import Servable, ServableId
from serving.server.status import Code, ServingError

logger = logging.getLogger(__name__)

UNKNOWN_MODEL = "(unknown)"

_COUNT = ":tensorflow:serving:request_count"
_LATENCY = ":tensorflow:serving:request_latency"
_RUNTIME = ":tensorflow:serving:runtime_latency"
_STATE = "prodcls_serving_version_state"
_INSIDE = "prodcls_serving_requests_in_flight"
_FAILURES = "prodcls_serving_load_failures"

# Microseconds: TF Serving's buckets, from 10 up to about 20 minutes.
_BOUNDS = [10 * 1.8**power for power in range(32)]
# Names that ever were a model's; configurations come from clients, too.
_MOST_MODELS = 1000

Labels = tuple[str, ...]


class Metrics:
    """Counts and times requests.

    Args:
      known: says whether a model of that name is served.

    Example:
      >>> metrics = Metrics(lambda model: model == "prodcls")
      >>> with metrics.request("prodcls", "Predict", "GRPC"):
      ...     pass
      >>> ':tensorflow:serving:request_count{model_name="prodcls",status="OK"} 1.0' in (
      ...     metrics.text().decode()
      ... )
      True
    """

    def __init__(self, known: Callable[[str], bool]) -> None:
        self._known = known
        self._lock = threading.Lock()
        self._models: set[str] = set()
        self._counts: dict[Labels, int] = {}
        self._latencies: dict[Labels, _Histogram] = {}
        self._runtimes: dict[Labels, _Histogram] = {}
        self._inside = {"GRPC": 0, "REST": 0}
        self._states: dict[ServableId, State] = {}
        self._failures: dict[str, int] = {}
        # Which call the present thread is in.
        self._current = threading.local()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    @contextlib.contextmanager
    def request(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Counts and times a request; what fails for an unknown reason fails as INTERNAL.

        Args:
          model: the name in the request.
          api: the call, such as `Predict`.
          entrypoint: `GRPC` or `REST`.

        Raises:
          ServingError: as it was raised inside; or INTERNAL, with the true reason in the log and
            not in the answer.
        """
        code, began = Code.OK, time.perf_counter()
        self._current.api = api
        with self._lock:
            self._inside[entrypoint] += 1
        try:
            with explained(api):
                yield
        except ServingError as error:
            code = error.code
            raise
        finally:
            self.count(model, api, entrypoint, code, time.perf_counter() - began)
            with self._lock:
                self._inside[entrypoint] -= 1

    def count(
        self, model: str, api: str, entrypoint: str, code: Code, seconds: float = 0.0
    ) -> None:
        """Counts a request that was answered, and times it if it was well answered.

        Args:
          model: the name in the request.
          api: the call, such as `Predict`.
          entrypoint: `GRPC` or `REST`.
          code: of the answer.
          seconds: that it took.
        """
        # Who got an answer named a model.
        if model not in self._models and code != Code.OK and not self._known(model):
            model = UNKNOWN_MODEL
        with self._lock:
            if not self._may_name(model):
                model = UNKNOWN_MODEL
            labels = (model, code.name)
            self._counts[labels] = self._counts.get(labels, 0) + 1
            if code == Code.OK:
                self._observe(self._latencies, (model, api, entrypoint), seconds)

    def measured(self, run: Runner) -> Runner:
        """Returns the same runner, which is timed from then on: its waiting in batches, too."""

        def timed(servable: Servable, *what: Any) -> dict[str, np.ndarray]:
            began = time.perf_counter()
            found = run(servable, *what)
            seconds = time.perf_counter() - began
            labels = (servable.id.name, getattr(self._current, "api", ""), "TF1")
            with self._lock:
                self._observe(self._runtimes, labels, seconds)
            return found

        return timed

    def version_moved(self, servable_id: ServableId, status: VersionStatus) -> None:
        """Notes where a version is: a listener of the registry."""
        with self._lock:
            if status.state == State.END:
                self._states.pop(servable_id, None)
            else:
                self._states[servable_id] = status.state
            if status.error is not None and self._may_name(servable_id.name):
                self._failures[servable_id.name] = self._failures.get(servable_id.name, 0) + 1

    def text(self) -> bytes:
        """Returns all figures in Prometheus' text format."""
        # TF Serving's counter lacks the suffix that this library gives to the type of each.
        return generate_latest(self._registry).replace(f"{_COUNT}_total".encode(), _COUNT.encode())

    def collect(self) -> Iterable[Metric]:
        """Makes the families; called by the registry."""
        with self._lock:
            return [
                _counter(
                    _COUNT,
                    "The total number of requests.",
                    ("model_name", "status"),
                    self._counts,
                ),
                _histogram(
                    _LATENCY,
                    "Wall time in microseconds of requests that were answered.",
                    ("model_name", "API", "entrypoint"),
                    self._latencies,
                ),
                _histogram(
                    _RUNTIME,
                    "Wall time in microseconds in TensorFlow, with the wait for a batch.",
                    ("model_name", "API", "runtime"),
                    self._runtimes,
                ),
                self._in_flight(),
                *self._of_versions(),
            ]

    def _in_flight(self) -> Metric:
        family = GaugeMetricFamily(
            _INSIDE, "Requests that are being answered.", labels=("entrypoint",)
        )
        for entrypoint, number in self._inside.items():
            family.add_metric((entrypoint,), number)
        return family

    def _of_versions(self) -> list[Metric]:
        states = GaugeMetricFamily(
            _STATE, "State of each version, as in GetModelStatus.", labels=("model_name", "version")
        )
        for servable_id, state in self._states.items():
            states.add_metric((servable_id.name, str(servable_id.version)), int(state))
        failures = Metric(_FAILURES, "Versions that could not be loaded.", "counter")
        for model, number in self._failures.items():
            failures.add_sample(f"{_FAILURES}_total", {"model_name": model}, number)
        return [states, failures]

    def _may_name(self, model: str) -> bool:
        if model not in self._models and len(self._models) < _MOST_MODELS:
            self._models.add(model)
        return model in self._models

    def _observe(self, into: dict[Labels, _Histogram], labels: Labels, seconds: float) -> None:
        if labels not in into and len(into) < 10 * _MOST_MODELS:
            into[labels] = _Histogram()
        if labels in into:
            into[labels].add(seconds * 1e6)


class _Histogram:
    """How many values lie under each bound."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect.bisect_left(_BOUNDS, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Counts from the smallest up to each bound."""
        total, made = 0.0, []
        for bound, count in zip((*_BOUNDS, math.inf), self._counts, strict=True):
            total += count
            made.append(("+Inf" if math.isinf(bound) else f"{bound:g}", total))
        return made


def _counter(name: str, about: str, labels: Labels, values: Mapping[Labels, int]) -> Metric:
    family = Metric(name, about, "counter")
    for named, value in values.items():
        family.add_sample(name, dict(zip(labels, named, strict=True)), value)
    return family


def _histogram(
    name: str, about: str, labels: Labels, values: Mapping[Labels, _Histogram]
) -> Metric:
    family = HistogramMetricFamily(name, about, labels=labels)
    for named, histogram in values.items():
        family.add_metric(named, histogram.buckets(), histogram.sum)
    return family


@contextlib.contextmanager
def explained(api: str) -> Iterator[None]:
    """Turns what fails for an unknown reason into an error that tells clients nothing.

    Args:
      api: the call.

    Raises:
      ServingError: as it was raised inside; else INTERNAL.
    """
    try:
        yield
    except ServingError:
        raise
    except Exception as error:
        places = traceback.extract_tb(error.__traceback__)
        where = f"{places[-1].filename}:{places[-1].lineno}" if places else "an unknown place"
        # Not the error's own message: it may quote a request.
        logger.error("%s failed: a %s at %s.", api, type(error).__name__, where)
        raise ServingError(
            Code.INTERNAL, f"{api} failed for a reason that only the server's log tells."
        ) from None
