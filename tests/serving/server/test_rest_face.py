"""TF Serving's REST API through real HTTP."""

from __future__ import annotations

import gzip
import json
import random
import socket
import threading
import time
from concurrent import futures
from pathlib import Path

import httpx
import pytest

from tests.serving.server.embedded import NAME, figure, figures, in_flight, running, until
from tests.serving.tiny_model import CATEGORIES, save_tiny_model

MODEL = f"/v1/models/{NAME}"
PAN = {"instances": [{"title": "a PAN", "description": ""}]}
LIMIT = 64 * 1024


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "3").parent


def config(base, tmp_path_factory):
    file = tmp_path_factory.mktemp("config") / "models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "{NAME}" base_path: "{base}" '
        'model_platform: "tensorflow" version_labels { key: "stable" value: 3 } } }'
    )
    return str(file)


@pytest.fixture(scope="module")
def server(base, tmp_path_factory):
    file = config(base, tmp_path_factory)
    with running(base, model_config_file=file, max_message_bytes=LIMIT) as server:
        yield server


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=f"http://127.0.0.1:{server.rest_port}", timeout=30) as client:
        yield client


def slow(milliseconds):
    return {"signature_name": "slow", "inputs": {"rounds": [milliseconds]}}


@pytest.mark.parametrize(
    "path", [MODEL, f"{MODEL}/versions/3", f"{MODEL}/labels/stable", f"/V1/Models/{NAME}"]
)
def test_predict_by_rows(http, path):
    answer = http.post(f"{path}:predict", json=PAN)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    (prediction,) = answer.json()["predictions"]
    assert prediction["categories"][0] == "Home > Cookware"
    assert sum(prediction["scores"]) == pytest.approx(1.0)


def test_predict_by_columns(http):
    columns = {"inputs": {"title": ["pan", "猫"], "description": ["", ""]}}
    outputs = http.post(f"{MODEL}:predict", json=columns).json()["outputs"]
    assert [row[0] for row in outputs["categories"]] == [CATEGORIES[1], CATEGORIES[2]]


def test_single_output_goes_without_its_name(http):
    assert http.post(f"{MODEL}:predict", json=slow(0)).json() == {"outputs": [0.0]}


def test_numbers_of_all_types(http):
    rows = [{"x": [1.5, 2], "n": 41}, {"x": [0, 0], "n": 1}]
    answer = http.post(f"{MODEL}:predict", json={"signature_name": "numbers", "instances": rows})
    assert answer.json()["predictions"] == [
        {"even": False, "next": 42, "total": 3.5},
        {"even": False, "next": 2, "total": 0.0},
    ]


def test_classify_and_regress(http):
    body = {"signature_name": "classify", "examples": [{"title": "pan"}, {}]}
    first, second = http.post(f"{MODEL}:classify", json=body).json()["results"]
    assert first[0][0] == "Home > Cookware"
    assert len(second) == 3
    body = {"signature_name": "regress", "context": {"title": "pan"}, "examples": [{}]}
    assert http.post(f"{MODEL}:regress", json=body).json() == {"results": [1.0]}


def test_status(http):
    expected = {"version": "3", "state": "AVAILABLE"}
    ok = {"error_code": "OK", "error_message": ""}
    for path in (MODEL, f"{MODEL}/versions/3", f"{MODEL}/labels/stable"):
        assert http.get(path).json() == {"model_version_status": [{**expected, "status": ok}]}


def test_metadata(http):
    answer = http.get(f"{MODEL}/metadata").json()
    assert answer["model_spec"] == {"name": NAME, "signature_name": "", "version": "3"}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"]["inputs"]["title"]["dtype"] == "DT_STRING"


def test_name_is_unquoted(http):
    assert http.get("/v1/models/%70rodcls").status_code == 200


def test_gzip_is_unpacked(http):
    packed = gzip.compress(json.dumps(PAN).encode())
    answer = http.post(f"{MODEL}:predict", content=packed, headers={"content-encoding": "gzip"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(b"x" * 100)[:-9]], ids=["other", "cut"]
)
def test_gzip_that_is_none_is_refused(http, content):
    answer = http.post(f"{MODEL}:predict", content=content, headers={"content-encoding": "gzip"})
    assert answer.status_code == 400
    assert "gzipped" in answer.json()["error"]


def test_gzip_that_unpacks_to_too_much_is_refused(http):
    bomb = gzip.compress(b"x" * 10_000_000)
    answer = http.post(f"{MODEL}:predict", content=bomb, headers={"content-encoding": "gzip"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "/v1/models/x:predict", PAN, 404, "Servable not found for request: Latest(x)"),
        ("POST", f"{MODEL}/versions/9:predict", PAN, 404, "Servable not found for request: Speci"),
        ("POST", f"{MODEL}/labels/x:predict", PAN, 400, "Unrecognized servable version label: x"),
        ("POST", f"{MODEL}/versions/9223372036854775808:predict", PAN, 400, "Failed to convert ve"),
        (
            "POST", f"{MODEL}:predict", {"signature_name": "x", "instances": [1]}, 400,
            'Serving signature name: "x" not found in signature def',
        ),
        ("POST", f"{MODEL}:predict", {"signature_name": 1}, 400, "JSON Value: "),
        ("POST", f"{MODEL}:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("POST", f"{MODEL}:predict", [], 400, "JSON Value: [] Is not object"),
        ("POST", f"{MODEL}:predict", {"instances": [{"title": "x"}]}, 400, "Failed to process el"),
        ("POST", f"{MODEL}:classify", {"examples": [{}]}, 400, "Expected one input Tensor"),
        ("POST", f"{MODEL}:regress", {"examples": []}, 400, "JSON Value: "),
        ("POST", f"{MODEL}:guess", PAN, 400, f"Malformed request: POST {MODEL}:guess"),
        ("POST", MODEL, PAN, 400, "Malformed request: POST"),
        ("GET", f"{MODEL}:predict", None, 400, "Malformed request: GET"),
        ("DELETE", MODEL, None, 400, "Malformed request: DELETE"),
        ("GET", f"{MODEL}/versions/x", None, 400, "Malformed request: GET"),
        ("GET", "/v1/models", None, 400, "Missing model name in request."),
        ("GET", "/v1/models/x", None, 404, "Could not find any versions of model x"),
        ("GET", f"{MODEL}/versions/9", None, 404, "Could not find version 9 of model prodcls"),
        ("GET", "/v1/models/x/metadata", None, 404, "Servable not found for request: Latest(x)"),
        ("GET", "/", None, 404, "There is nothing at /."),
        ("POST", "/monitoring/prometheus/metrics", {}, 405, "The figures are there to GET"),
    ],
)  # fmt: skip
def test_fault_has_the_status_and_message_of_tf_serving(http, method, path, body, status, message):
    answer = http.request(method, path, json=body)
    assert answer.json()["error"].startswith(message)
    assert answer.status_code == status


def test_body_at_the_limit_is_read_and_one_byte_more_is_refused(http):
    body = json.dumps(PAN).encode()
    answer = http.post(f"{MODEL}:predict", content=body + b" " * (LIMIT - len(body)))
    assert answer.status_code == 200
    for size in (LIMIT + 1, 40 * LIMIT):
        answer = http.post(f"{MODEL}:predict", content=body + b" " * (size - len(body)))
        assert answer.status_code == 413
        assert answer.json()["error"].startswith("Received message larger than max")


def test_figures_count_what_was_answered(http, server):
    before = figure(server, ":tensorflow:serving:request_count", '"OK"')
    http.post(f"{MODEL}:predict", json=PAN)
    http.post("/v1/models/no such model:predict", json=PAN)
    assert figure(server, ":tensorflow:serving:request_count", '"OK"') == before + 1
    text = figures(server)
    assert "no such model" not in text
    assert f'prodcls_serving_version_state{{model_name="{NAME}",version="3"}} 30.0' in text
    for name in ("request_latency", "runtime_latency"):
        assert f":tensorflow:serving:{name}_bucket" in text


def test_random_bodies_do_no_harm(http):
    drawn = random.Random(0)
    real = [json.dumps(PAN), json.dumps(slow(0)), '{"examples": [{"a": [1, "x"]}]}']
    statuses = set()
    for _ in range(500):
        body = bytearray(drawn.choice(real).encode())
        for _ in range(drawn.randrange(1, 6)):
            body[drawn.randrange(len(body))] = drawn.randrange(256)
        call = drawn.choice(["predict", "classify", "regress"])
        statuses.add(http.post(f"{MODEL}:{call}", content=bytes(body)).status_code)
    assert statuses <= {200, 400}
    assert http.post(f"{MODEL}:predict", json=PAN).status_code == 200


def test_request_that_takes_too_long_ends(base):
    with running(base, rest_api_timeout_in_ms=200) as server:
        began = time.monotonic()
        answer = httpx.post(
            f"http://127.0.0.1:{server.rest_port}{MODEL}:predict", json=slow(600_000), timeout=60
        )
        assert answer.status_code == 504
        assert time.monotonic() - began < 30
        # The model is stopped, too.
        until(lambda: in_flight(server) == 0, 60)


def test_requests_beyond_what_may_wait_are_refused(base):
    with running(base, rest_api_num_threads=1) as server:
        url = f"http://127.0.0.1:{server.rest_port}{MODEL}"
        with httpx.Client(timeout=60) as client, futures.ThreadPoolExecutor(12) as pool:
            answers = list(
                pool.map(lambda _: client.post(f"{url}:predict", json=slow(700)), range(12))
            )
            assert client.get(url).status_code == 200
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 429}
        assert 5 <= statuses.count(200) <= 10


def test_clients_that_send_slowly_or_never_read_are_cut_off(base):
    with running(base, rest_api_timeout_in_ms=500) as server:
        address = ("127.0.0.1", server.rest_port)
        halves = [
            b"",
            b"POST /v1/mod",
            f"POST {MODEL}:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{{".encode(),
        ]
        threads = threading.active_count()
        stuck = [socket.create_connection(address, timeout=60) for _ in range(60)]
        for number, connection in enumerate(stuck):
            connection.sendall(halves[number % 3])
        answer = httpx.post(f"http://127.0.0.1:{server.rest_port}{MODEL}:predict", json=PAN)
        assert answer.status_code == 200
        for connection in stuck:
            while connection.recv(4096):
                pass
            connection.close()
        assert threading.active_count() <= threads + 12


def test_figures_are_where_the_file_says(base, tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text('prometheus_config { enable: true path: "/figures" }')
    with running(base, monitoring_config_file=str(file)) as server:
        url = f"http://127.0.0.1:{server.rest_port}"
        assert "request_count" in httpx.get(f"{url}/figures").text
        assert httpx.get(f"{url}/monitoring/prometheus/metrics").status_code == 404
