from __future__ import annotations

import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.server.metrics import UNKNOWN_MODEL, Metrics
from serving.server.registry import State, VersionStatus
from serving.server.servable import ServableId
from serving.server.status import Code, ServingError

# The parser gives every counter that suffix; the text itself has none.
COUNT = ":tensorflow:serving:request_count_total"


@pytest.fixture
def metrics():
    return Metrics(lambda model: model == "shoes")


def samples(metrics, name):
    families = text_string_to_metric_families(metrics.text().decode("utf-8"))
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def fail(metrics, model, code=Code.NOT_FOUND):
    with (
        pytest.raises(ServingError),
        metrics.request(model, "Predict", "GRPC"),
    ):
        raise ServingError(code, "no")


def test_requests_are_counted_by_model_and_status_under_the_name_of_tf_serving(metrics):
    for _ in range(3):
        with metrics.request("shoes", "Predict", "GRPC"):
            pass
    fail(metrics, "shoes", Code.INVALID_ARGUMENT)
    assert samples(metrics, COUNT) == {
        (("model_name", "shoes"), ("status", "OK")): 3,
        (("model_name", "shoes"), ("status", "INVALID_ARGUMENT")): 1,
    }
    text = metrics.text().decode("utf-8")
    assert "# TYPE :tensorflow:serving:request_count counter\n" in text
    assert '\n:tensorflow:serving:request_count{model_name="shoes",status="OK"} 3.0\n' in text


def test_names_that_are_no_models_share_one_series(metrics):
    for number in range(50):
        fail(metrics, f"random {number}")
    assert samples(metrics, COUNT) == {(("model_name", UNKNOWN_MODEL), ("status", "NOT_FOUND")): 50}


def test_answered_requests_are_timed_in_microseconds(metrics):
    metrics.count("shoes", "Predict", "REST", Code.OK, 0.002)
    metrics.count("shoes", "Predict", "REST", Code.INTERNAL, 5.0)
    labels = (("API", "Predict"), ("entrypoint", "REST"), ("model_name", "shoes"))
    name = ":tensorflow:serving:request_latency"
    assert samples(metrics, f"{name}_sum") == {labels: pytest.approx(2000)}
    assert samples(metrics, f"{name}_count") == {labels: 1}
    buckets = samples(metrics, f"{name}_bucket")
    assert len(buckets) == 33
    by_bound = {dict(key)["le"]: value for key, value in buckets.items()}
    assert (by_bound["10"], by_bound["1983.59"], by_bound["3570.47"], by_bound["+Inf"]) == (
        0, 0, 1, 1,
    )  # fmt: skip


def test_runs_are_timed_with_the_call_that_they_serve(metrics):
    class Version:
        id = ServableId("shoes", 1)

    run = metrics.measured(lambda *arguments: {"arguments": len(arguments)})
    with metrics.request("shoes", "Classify", "GRPC"):
        assert run(Version(), "key", None, {}, [], None) == {"arguments": 6}
    labels = (("API", "Classify"), ("model_name", "shoes"), ("runtime", "TF1"))
    assert samples(metrics, ":tensorflow:serving:runtime_latency_count") == {labels: 1}


def test_unknown_failure_tells_the_client_nothing_and_the_log_where_it_is(metrics, caplog):
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(ServingError) as caught,
        metrics.request("shoes", "Predict", "GRPC"),
    ):
        raise KeyError("a product's text")
    assert caught.value.code == Code.INTERNAL
    assert "KeyError" in caplog.text
    assert "test_metrics.py" in caplog.text
    assert "product's text" not in caplog.text + caught.value.message


def test_states_and_failed_loads_of_versions_are_told(metrics):
    old, new = ServableId("shoes", 1), ServableId("shoes", 2)
    metrics.version_moved(old, VersionStatus(1, State.AVAILABLE))
    metrics.version_moved(new, VersionStatus(2, State.LOADING))
    metrics.version_moved(
        new, VersionStatus(2, State.END, ServingError(Code.DATA_LOSS, "no graph"))
    )
    assert samples(metrics, "prodcls_serving_version_state") == {
        (("model_name", "shoes"), ("version", "1")): 30
    }
    assert samples(metrics, "prodcls_serving_load_failures_total") == {
        (("model_name", "shoes"),): 1
    }


def test_requests_under_way_are_told(metrics):
    name = "prodcls_serving_requests_in_flight"
    with metrics.request("shoes", "Predict", "REST"):
        assert samples(metrics, name)[(("entrypoint", "REST"),)] == 1
    assert samples(metrics, name)[(("entrypoint", "REST"),)] == 0


def test_process_has_its_figures(metrics):
    assert samples(metrics, "process_resident_memory_bytes")[()] > 0


def test_labels_are_escaped():
    name = 'a"b\\c\nd'
    metrics = Metrics(lambda model: True)
    metrics.count(name, "Predict", "GRPC", Code.OK)
    assert samples(metrics, COUNT) == {(("model_name", name), ("status", "OK")): 1}
