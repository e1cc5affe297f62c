"""Where Prometheus finds the figures, from the file that TF Serving takes."""

from __future__ import annotations

from typing import Any, Optional

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from prodcls_tf.errors import SettingsError
from serving.server.text_proto import read_text_proto

DEFAULT_PATH = "/monitoring/prometheus/metrics"

_Field = descriptor_pb2.FieldDescriptorProto


def _monitoring_config() -> Any:
    """The message of that file, whose proto is not among those of tensorflow-serving-api."""
    file = descriptor_pb2.FileDescriptorProto(
        name="prodcls/monitoring.proto", package="prodcls", syntax="proto3"
    )
    prometheus = file.message_type.add(name="PrometheusConfig")
    prometheus.field.add(name="enable", number=1, type=_Field.TYPE_BOOL)
    prometheus.field.add(name="path", number=2, type=_Field.TYPE_STRING)
    file.message_type.add(name="MonitoringConfig").field.add(
        name="prometheus_config",
        number=1,
        type=_Field.TYPE_MESSAGE,
        type_name=".prodcls.PrometheusConfig",
    )
    for described in file.message_type:
        for field in described.field:
            field.label = _Field.LABEL_OPTIONAL
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = pool.FindMessageTypeByName("prodcls.MonitoringConfig")
    return message_factory.MessageFactory(pool).GetPrototype(kind)()


def prometheus_path(monitoring_config_file: str) -> Optional[str]:
    """Reads a `MonitoringConfig` in text format.

    Args:
      monitoring_config_file: its path; empty for TF Serving's own path, which TF Serving does not
        answer at without such a file, and this server does.

    Returns:
      The path on the REST port; None if the file says that there is to be none.

    Raises:
      SettingsError: the file cannot be read, or its path is none of this server's own.

    Example:
      >>> prometheus_path("")
      '/monitoring/prometheus/metrics'
    """
    if not monitoring_config_file:
        return DEFAULT_PATH
    config = read_text_proto(monitoring_config_file, _monitoring_config()).prometheus_config
    if not config.enable:
        return None
    path = config.path or DEFAULT_PATH
    if not path.startswith("/") or path.lower().startswith("/v1/"):
        raise SettingsError(
            f"{monitoring_config_file}: the path of prometheus_config must begin with / and not "
            f"with /v1/. Received {path!r}. Leave it out for {DEFAULT_PATH}."
        )
    return path
