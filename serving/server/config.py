"""What the server is told: its flags, and the files that they name.

Flags bear TF Serving's names where they mean the same; those without a counterpart are marked.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Optional

from prodcls_tf.errors import SettingsError
from serving.server.model_config import ModelConfig, Policy, read_model_config_file
from serving.server.text_proto import message_type, read_text_proto

__all__ = ["BatchingParameters", "ModelConfig", "Policy", "ServerOptions"]

# The proto of this file is not among those that tensorflow-serving-api ships.
_BATCHING_FILE = message_type(
    "BatchingParameters",
    {
        "max_batch_size": "Int64Value",
        "batch_timeout_micros": "Int64Value",
        "max_enqueued_batches": "Int64Value",
        "num_batch_threads": "Int64Value",
        "thread_pool_name": "StringValue",
        "allowed_batch_sizes": "repeated int64",
        "pad_variable_length_inputs": "bool",
        "enable_large_batch_splitting": "BoolValue",
        "max_execution_batch_size": "Int64Value",
    },
)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class BatchingParameters:
    """How requests are merged.

    Args:
      max_batch_size: rows in a batch, at most.
      batch_timeout_micros: how long the first request of a batch waits for others.
      max_enqueued_batches: batches that wait in a queue, at most.
      num_batch_threads: batches that run at a time.
      allowed_batch_sizes: a batch is padded to the next of these; empty for any size.
      pad_variable_length_inputs: whether inputs that differ in other dimensions are padded.

    Raises:
      SettingsError: a value is out of range, or `allowed_batch_sizes` does not rise up to
        `max_batch_size`.

    Example:
      >>> BatchingParameters(max_batch_size=32, allowed_batch_sizes=(8, 32)).max_batch_size
      32
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = field(default_factory=_cores)
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be positive; was {getattr(self, name)}.")
        if self.batch_timeout_micros < 0:
            raise SettingsError(
                f"batch_timeout_micros must be non-negative; was {self.batch_timeout_micros}."
            )
        sizes = self.allowed_batch_sizes
        rising = all(small < large for small, large in zip((0, *sizes), sizes, strict=False))
        if sizes and not (rising and sizes[-1] == self.max_batch_size):
            raise SettingsError(
                "allowed_batch_sizes entries must be in increasing order, from 1 on, and the last "
                f"entry must equal max_batch_size. Received {list(sizes)} with a max_batch_size "
                f"of {self.max_batch_size}. Mend one of the two."
            )

    @classmethod
    def read(cls, path: str) -> BatchingParameters:
        """Reads a batching parameters file as TF Serving takes it.

        Args:
          path: of the file, text format; what it leaves out keeps its default.

        Returns:
          The parameters.

        Raises:
          SettingsError: the file cannot be read, or a value does not fit.
        """
        proto = read_text_proto(path, _BATCHING_FILE())
        for name in ("enable_large_batch_splitting", "max_execution_batch_size"):
            if proto.HasField(name) and getattr(proto, name).value:
                raise SettingsError(
                    f"{path}: the embedded server does not split requests. Received {name}. "
                    "Take it out; a client should send at most max_batch_size rows at once."
                )
        names = (
            "max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads",
        )  # fmt: skip
        set_ = {name: getattr(proto, name).value for name in names if proto.HasField(name)}
        try:
            return cls(
                **set_,
                allowed_batch_sizes=tuple(proto.allowed_batch_sizes),
                pad_variable_length_inputs=proto.pad_variable_length_inputs,
            )
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}") from None


@dataclass(frozen=True)
class ServerOptions:
    """All flags of the server.

    Args:
      port: of gRPC; 0 for a free one.
      host: address to listen on (ours); TF Serving listens on all of them.
      grpc_socket_path: UNIX socket to listen on too; empty for none.
      rest_api_port: of REST; 0 for no REST, -1 for a free one.
      rest_api_num_threads: REST requests that run at a time.
      rest_api_timeout_in_ms: after which a REST request fails.
      model_name: under which the model of `model_base_path` is served.
      model_base_path: folder of versions.
      model_config_file: names several models; goes before `model_base_path`.
      model_config_file_poll_wait_seconds: how often that file is read again; 0 for never.
      file_system_poll_wait_seconds: how often the folders are looked at; 0 for once, less than 0
        for only when the configuration changes.
      saved_model_tags: of the graph to load, separated by commas.
      enable_model_warmup: whether a version's warm-up requests are replayed before it serves.
      enable_batching: whether requests are merged.
      batching_parameters_file: how.
      max_message_bytes: largest request, and largest answer over gRPC (ours); TF Serving has no
        bound.
      grpc_max_threads: gRPC requests that run at a time.
      allow_version_labels_for_unavailable_models: whether a new label may name a version that is
        not loaded yet.
      enable_reload_config: whether clients may change the models (ours); TF Serving always lets
        them.
      enable_reflection: whether gRPC clients may ask for the services' descriptions (ours).
      tensorflow_session_parallelism: threads inside and between ops, where the next two are 0.
      tensorflow_intra_op_parallelism: threads inside an op; 0 for as many as there are cores.
      tensorflow_inter_op_parallelism: ops that run at a time; 0 likewise.
      per_process_gpu_memory_fraction: share of the GPU's memory; 0 lets it grow.
      ssl_config_file: keys and certificates for TLS; empty for plain text.
      monitoring_config_file: where Prometheus finds its figures.
      drain_seconds: how long a stop waits for requests in flight (ours).
      ready_timeout_seconds: how long a start, or a new configuration, waits for models (ours).

    Raises:
      SettingsError: no model is named, or flags contradict each other.

    Example:
      >>> options = ServerOptions(model_name="prodcls", model_base_path="/srv/prodcls", port=0)
      >>> [model.name for model in options.models()]
      ['prodcls']
    """

    port: int = 8500
    host: str = "127.0.0.1"
    grpc_socket_path: str = ""
    rest_api_port: int = 0
    rest_api_num_threads: int = field(default_factory=lambda: 4 * _cores())
    rest_api_timeout_in_ms: int = 30_000
    model_name: str = "default"
    model_base_path: str = ""
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: float = 0.0
    file_system_poll_wait_seconds: float = 1.0
    saved_model_tags: str = "serve"
    enable_model_warmup: bool = True
    enable_batching: bool = False
    batching_parameters_file: str = ""
    max_message_bytes: int = 16 * 1024 * 1024
    grpc_max_threads: int = 64
    allow_version_labels_for_unavailable_models: bool = False
    enable_reload_config: bool = False
    enable_reflection: bool = True
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    per_process_gpu_memory_fraction: float = 0.0
    ssl_config_file: str = ""
    monitoring_config_file: str = ""
    drain_seconds: float = 30.0
    ready_timeout_seconds: float = 120.0

    def __post_init__(self) -> None:
        if not self.model_base_path and not self.model_config_file:
            raise SettingsError(
                "Both server_options.model_base_path and server_options.model_config_file are "
                "empty! A server needs a model. Give --model_base_path or --model_config_file."
            )
        if self.batching_parameters_file and not self.enable_batching:
            raise SettingsError(
                "server_options.batching_parameters_file is set without setting "
                "server_options.enable_batching to true. Add --enable_batching, or leave the "
                "file out."
            )
        if self.rest_api_port > 0 and self.rest_api_port == self.port:
            raise SettingsError(
                f"--rest_api_port cannot be same as --port. Received {self.port} for both. "
                "Name another one."
            )
        self._check_ranges()

    def _check_ranges(self) -> None:
        ranges: dict[str, tuple[float, float]] = {
            "port": (0, 65535),
            "rest_api_port": (-1, 65535),
            "rest_api_num_threads": (1, 65536),
            "rest_api_timeout_in_ms": (1, float("inf")),
            "model_config_file_poll_wait_seconds": (0, float("inf")),
            "max_message_bytes": (1024, 2**31 - 1),
            "grpc_max_threads": (1, 65536),
            "tensorflow_session_parallelism": (0, 65536),
            "tensorflow_intra_op_parallelism": (0, 65536),
            "tensorflow_inter_op_parallelism": (0, 65536),
            "per_process_gpu_memory_fraction": (0, 1),
            "drain_seconds": (0, float("inf")),
            "ready_timeout_seconds": (0, float("inf")),
        }
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise SettingsError(
                    f"--{name} must be from {least:g} to {most:g}. Received {getattr(self, name)}."
                )

    def models(self) -> list[ModelConfig]:
        """Returns the models to serve, read from `model_config_file` where there is one.

        Raises:
          SettingsError: that file cannot be used.
        """
        if self.model_config_file:
            return read_model_config_file(self.model_config_file)
        return [ModelConfig(self.model_name, self.model_base_path)]

    def batching(self) -> Optional[BatchingParameters]:
        """Returns how requests are merged; None where they are not.

        Raises:
          SettingsError: `batching_parameters_file` cannot be used.
        """
        if not self.enable_batching:
            return None
        if not self.batching_parameters_file:
            return BatchingParameters()
        return BatchingParameters.read(self.batching_parameters_file)
