"""The embedded server: all parts together, from its flags to its last answer."""

from __future__ import annotations

import functools
import gc
import logging
import time
from collections.abc import Callable, Sequence
from typing import Optional

from prodcls_tf.errors import ModelError, SettingsError
from serving.server.addresses import check_ports
from serving.server.batching import BatchScheduler, DirectRunner, Runner
from serving.server.config import ModelConfig, ServerOptions
from serving.server.config_watcher import ConfigWatcher
from serving.server.grpc_face import GrpcFace
from serving.server.inference import Inference
from serving.server.management import Management
from serving.server.metrics import Metrics
from serving.server.monitoring import prometheus_path
from serving.server.registry import Registry, State, VersionStatus
from serving.server.rest_calls import RestCalls
from serving.server.rest_face import RestFace
from serving.server.servable import Servable, ServableId, SessionOptions
from serving.server.status import ServingError
from serving.server.stopping import StopSignals
from serving.server.tls import server_credentials
from serving.server.warmup import warm_up

logger = logging.getLogger(__name__)


class EmbeddedServer:
    """Answers TensorFlow Serving's protocols, from `start` until `stop`.

    Args:
      options: all flags.
      models: gives the models to serve, in place of those that the flags name; is asked again every
        `model_config_file_poll_wait_seconds`.

    Attributes:
      port: of gRPC, once it has started; None before.
      rest_port: of REST, once it has started; None before, and where there is no REST.
      figures_path: where REST has the figures for Prometheus; None for nowhere.
      registry: the versions.

    Raises:
      SettingsError: a flag or a file that it names cannot be used, or a port is taken.

    Example:
      >>> options = ServerOptions(port=0, model_base_path="runs/mine/serving/prodcls")
      >>> server = EmbeddedServer(options)
      >>> server.start()  # doctest: +SKIP
      >>> server.port  # doctest: +SKIP
      41873
      >>> server.stop()  # doctest: +SKIP
      True
    """

    def __init__(
        self,
        options: ServerOptions,
        models: Optional[Callable[[], Sequence[ModelConfig]]] = None,
    ) -> None:
        self._options = options
        self._read_models = models or options.models
        self._models = list(self._read_models())
        self.figures_path = prometheus_path(options.monitoring_config_file)
        self._credentials = server_credentials(options.ssl_config_file)
        self._batching = options.batching()
        check_ports(options)
        self.port: Optional[int] = None
        self.rest_port: Optional[int] = None
        self._scheduler: Optional[BatchScheduler] = None
        self._grpc: Optional[GrpcFace] = None
        self._rest: Optional[RestFace] = None
        self._watcher: Optional[ConfigWatcher] = None
        self._metrics = Metrics(self._is_known)
        self.registry = Registry(
            functools.partial(Servable.load, options=_session(options), tags=_tags(options)),
            warm=warm_up if options.enable_model_warmup else lambda servable: None,
            poll_seconds=options.file_system_poll_wait_seconds,
            drain_seconds=options.drain_seconds,
            listeners=(self._metrics.version_moved, self._tell_health),
        )

    def start(self) -> None:
        """Loads the models, then listens: as with TF Serving, who is answered finds them loaded.

        Raises:
          ModelError: a model has no version that can be loaded, or none is loaded in time.
          SettingsError: a label names such a version, or a port is taken.
        """
        self.registry.start()
        try:
            self._load()
            self._listen()
        except Exception:
            self.registry.stop()
            raise
        if self._options.model_config_file_poll_wait_seconds:
            self._watcher = ConfigWatcher(
                self._read_models,
                self._configure,
                self._options.model_config_file_poll_wait_seconds,
                self._models,
            )
            self._watcher.start()

    def stop(self) -> bool:
        """Says NOT_SERVING, takes no further requests, answers those under way, and ends.

        Waits for `drain_seconds` at most.

        Returns:
          Whether all requests were answered.
        """
        until = time.monotonic() + self._options.drain_seconds
        faces = [face for face in (self._grpc, self._rest) if face is not None]
        for face in faces:
            face.refuse()
        if self._watcher is not None:
            self._watcher.stop()
        in_time = [face.stop(until) for face in faces]
        if not all(in_time):
            # Their threads hold versions, which must not be closed under them.
            logger.error("Some requests took longer than drain_seconds; they are cut off.")
            return False
        if self._scheduler is not None:
            self._scheduler.close()
        self.registry.stop()
        return True

    def loaded(self) -> dict[str, list[int]]:
        """Returns the versions of each model that answer requests, newest first."""
        return {
            model.name: [
                status.version
                for status in self.registry.statuses(model.name)
                if status.state == State.AVAILABLE
            ]
            for model in self._models
        }

    def _load(self) -> None:
        try:
            self._configure(self._models)
        except ServingError as error:
            raise SettingsError(
                f"The configuration of the models cannot be put into effect. Received: "
                f"{error.message}. Mend it, or push what it names."
            ) from None
        if not self.registry.ready():
            told = "; ".join(map(self._reason, self.registry.unavailable()))
            raise ModelError(
                f"Each model must have a version that can be loaded. Received {told}. Push the "
                "model again, or name another folder."
            )

    def _configure(self, models: Sequence[ModelConfig]) -> None:
        self.registry.configure(
            models,
            allow_labels_for_unavailable=self._options.allow_version_labels_for_unavailable_models,
            timeout=self._options.ready_timeout_seconds,
        )

    def _listen(self) -> None:
        options = self._options
        inference = Inference(self.registry, self._metrics.measured(self._runner()))
        management = Management(
            self.registry,
            reload_allowed=options.enable_reload_config,
            allow_labels_for_unavailable=options.allow_version_labels_for_unavailable_models,
            timeout=options.ready_timeout_seconds,
        )
        face = GrpcFace(
            options, inference, management, self._metrics, self._is_serving, self._credentials
        )
        try:
            if options.rest_api_port:
                calls = RestCalls(inference, management)
                self._rest = RestFace(options, calls, self._metrics, self.figures_path)
                self._rest.start()
                self.rest_port = self._rest.port
            face.start()
        except BaseException:
            face.stop(time.monotonic())
            raise
        self._grpc, self.port = face, face.port

    def _runner(self) -> Runner:
        if self._batching is None:
            return DirectRunner()
        self._scheduler = BatchScheduler(self._batching)
        return self._scheduler

    def _reason(self, model: str) -> str:
        """Why a model has no version that answers."""
        try:
            statuses = self.registry.statuses(model)
        except ServingError:
            return f"model {model} without any version in its folder"
        loading = [status for status in statuses if status.state != State.END]
        if loading:
            seconds = f"{self._options.ready_timeout_seconds:g} s"
            return f"model {model}, whose version {loading[0].version} took more than {seconds}"
        return f"model {model}: {statuses[0].error}"

    def _is_known(self, model: str) -> bool:
        return self._is_serving(model) is not None

    def _is_serving(self, name: str) -> Optional[bool]:
        """What the health service says of a model, or of the server where there is no name."""
        if not name:
            return self.registry.ready()
        try:
            statuses = self.registry.statuses(name)
        except ServingError:
            return None
        return any(status.state == State.AVAILABLE for status in statuses)

    def _tell_health(self, servable_id: ServableId, status: VersionStatus) -> None:
        if self._grpc is not None:
            self._grpc.health.notify()


def serve(
    server: EmbeddedServer,
    signals: StopSignals,
    started: Callable[[EmbeddedServer], None] = lambda server: None,
) -> int:
    """Runs a server until a signal ends it.

    Args:
      server: that has not started yet.
      signals: to wait for.
      started: is called when it answers.

    Returns:
      The exit code: 0, or 1 if requests had to be cut off.

    Raises:
      ProdclsError: it cannot start.
    """
    # All that was imported, most of it TensorFlow's, is there to stay. Looking for garbage in it,
    # as Python's collector does now and then, would hold up every request for 0.15 s.
    gc.freeze()
    server.start()
    signals.calmly()
    logger.info("Serving gRPC on port %d, %s.", server.port, _rest(server))
    started(server)
    signals.wait()
    logger.info("Shutting down: requests under way are answered, further ones are refused.")
    return 0 if server.stop() else 1


def _rest(server: EmbeddedServer) -> str:
    return f"REST on port {server.rest_port}" if server.rest_port else "no REST"


def _session(options: ServerOptions) -> SessionOptions:
    both = options.tensorflow_session_parallelism
    return SessionOptions(
        intra_op_threads=options.tensorflow_intra_op_parallelism or both,
        inter_op_threads=options.tensorflow_inter_op_parallelism or both,
        gpu_memory_fraction=options.per_process_gpu_memory_fraction,
        allow_growth=not options.per_process_gpu_memory_fraction,
    )


def _tags(options: ServerOptions) -> tuple[str, ...]:
    return tuple(options.saved_model_tags.split(","))
