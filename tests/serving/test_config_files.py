from __future__ import annotations

import re

import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.channels import DEFAULT_PORT
from serving.server.config import BatchingParameters
from serving.server.model_config import read_model_config_file
from tests.conftest import ROOT

CONFIG = ROOT / "serving" / "config"
REST_PORT = DEFAULT_PORT + 1
METRICS = "/monitoring/prometheus/metrics"

# These protos are TensorFlow Serving's, but no package ships them for Python: fields by number.
PRIVATE = {
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, ".s.PrometheusConfig")},
    "Int64Value": {"value": (1, "int64")},
    "BatchingParameters": {
        "max_batch_size": (1, ".s.Int64Value"),
        "batch_timeout_micros": (2, ".s.Int64Value"),
        "max_enqueued_batches": (3, ".s.Int64Value"),
        "num_batch_threads": (4, ".s.Int64Value"),
    },
}


def private(name):
    file = descriptor_pb2.FileDescriptorProto(name="s.proto", package="s", syntax="proto3")
    for message, fields in PRIVATE.items():
        described = file.message_type.add(name=message)
        for field, (number, kind) in fields.items():
            added = described.field.add(name=field, number=number, label=1)
            if kind.startswith("."):
                added.type, added.type_name = added.TYPE_MESSAGE, kind
            else:
                added.type = added.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(
        pool.FindMessageTypeByName(f"s.{name}")
    )


def parsed(name, kind):
    return text_format.Parse((CONFIG / name).read_text(encoding="utf-8"), kind())


@pytest.fixture(scope="module")
def model():
    (config,) = parsed(
        "models.config", model_server_config_pb2.ModelServerConfig
    ).model_config_list.config
    return config


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((CONFIG / "compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cluster():
    text = (CONFIG / "kubernetes.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


@pytest.fixture(scope="module")
def container(cluster):
    (container,) = cluster["Deployment"]["spec"]["template"]["spec"]["containers"]
    return container


def flags(arguments):
    return dict(argument.removeprefix("--").split("=", 1) for argument in arguments)


def test_models_config_serves_the_newest_version_of_what_prodcls_pushes(model):
    assert (model.name, model.model_platform) == ("prodcls", "tensorflow")
    assert model.base_path == f"/models/{model.name}"
    assert model.model_version_policy.latest.num_versions == 1


def test_embedded_server_reads_the_same_models_config(model):
    (read,) = read_model_config_file(CONFIG / "models.config")
    assert (read.name, str(read.base_path)) == (model.name, model.base_path)


def test_batching_config_fits_the_clients_batches():
    batching = parsed("batching.config", private("BatchingParameters"))
    assert batching.max_batch_size.value == 64
    assert batching.batch_timeout_micros.value == 0
    assert 1 <= batching.num_batch_threads.value <= batching.max_enqueued_batches.value


def test_embedded_server_reads_the_same_batching_config():
    read = BatchingParameters.read(str(CONFIG / "batching.config"))
    assert (read.max_batch_size, read.batch_timeout_micros) == (64, 0)


def test_monitoring_config_is_where_prometheus_looks(cluster):
    monitoring = parsed("monitoring.config", private("MonitoringConfig")).prometheus_config
    (job,) = yaml.safe_load((CONFIG / "prometheus.yaml").read_text())["scrape_configs"]
    annotations = cluster["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert monitoring.enable
    assert monitoring.path == job["metrics_path"] == METRICS
    assert annotations["prometheus.io/path"] == METRICS
    assert annotations["prometheus.io/port"] == str(REST_PORT)
    assert job["static_configs"] == [{"targets": [f"serving:{REST_PORT}"]}]


def test_compose_and_kubernetes_start_the_server_alike(compose, container):
    service = compose["services"]["serving"]
    assert flags(service["command"]) == flags(container["args"])
    assert service["entrypoint"] == container["command"] == ["tensorflow_model_server"]
    assert service["image"] == container["image"]
    assert flags(service["command"])["port"] == str(DEFAULT_PORT)
    assert flags(service["command"])["rest_api_port"] == str(REST_PORT)


def test_every_configuration_file_that_is_named_is_there(compose, cluster):
    named = [value for value in flags(compose["services"]["serving"]["command"]).values()
             if value.startswith("/config/")]  # fmt: skip
    assert len(named) == 3
    assert all((CONFIG / path.removeprefix("/config/")).is_file() for path in named)
    assert ".:/config:ro" in compose["services"]["serving"]["volumes"]
    comment = (CONFIG / "kubernetes.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"--from-file=serving/config/(\S+)", comment)) == {
        path.removeprefix("/config/") for path in named
    }


def test_image_has_the_tensorflow_that_exports_the_models(container):
    import tensorflow as tf

    release = container["image"].rpartition(":")[2]
    assert release.split(".")[:2] == tf.__version__.split(".")[:2]


def test_compose_listens_on_this_machine_alone_and_mounts_read_only(compose, model):
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    serving = compose["services"]["serving"]
    models = [volume for volume in serving["volumes"] if ":/models" in volume]
    assert models == ["${MODELS:-../../runs/demo/serving}:/models:ro"]
    assert serving["read_only"] is True
    prometheus = compose["services"]["prometheus"]["volumes"][0].split(":")[0]
    assert (CONFIG / prometheus).is_file()


def test_probes_ask_for_the_model_over_rest(container, model):
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")]
    assert {probe["port"] for probe in probes} == {"rest"}
    status = f"/v1/models/{model.name}"
    assert [probe["path"] for probe in probes] == [f"{status}/metadata"] * 2 + [status]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": DEFAULT_PORT, "rest": REST_PORT}


def test_service_autoscaler_and_budget_mean_the_deployment(cluster):
    deployment = cluster["Deployment"]
    name, labels = deployment["metadata"]["name"], deployment["spec"]["selector"]["matchLabels"]
    assert deployment["spec"]["template"]["metadata"]["labels"] == labels
    assert cluster["Service"]["spec"]["selector"] == labels
    assert cluster["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert cluster["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == name
    assert cluster["HorizontalPodAutoscaler"]["spec"]["minReplicas"] >= 2
    assert "replicas" not in deployment["spec"]


def test_pod_reads_only_and_asks_for_resources(cluster, container):
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    volumes = {v["name"]: v for v in cluster["Deployment"]["spec"]["template"]["spec"]["volumes"]}
    assert set(mounts) == set(volumes)
    assert mounts["models"]["readOnly"] and mounts["config"]["readOnly"]
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "2Gi"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_every_setting_is_explained():
    for file in CONFIG.iterdir():
        lines = file.read_text(encoding="utf-8").splitlines()
        comments = sum(line.strip().startswith("#") for line in lines)
        assert comments >= len(lines) // 10, file.name
        assert lines[0].startswith("# "), file.name
        assert max(map(len, lines)) <= 100, file.name
