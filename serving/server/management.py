"""The calls of ModelService, on TensorFlow Serving's own messages, without a transport."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Optional

from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse

from prodcls_tf.errors import SettingsError
from serving.server.model_config import model_configs
from serving.server.registry import Registry
from serving.server.status import Code, ServingError

logger = logging.getLogger(__name__)


class Management:
    """Says what is loaded, and changes what is to be.

    Args:
      registry: of the versions.
      reload_allowed: whether clients may change the configuration. Off unless asked for: who may
        reload can have the server load any SavedModel that its files hold, and a SavedModel is
        code.
      allow_labels_for_unavailable: whether a new label may name a version that is not loaded yet.
      timeout: seconds that a new configuration gets to load, at most.

    Example:
      >>> management = Management(registry, reload_allowed=False)  # doctest: +SKIP
      >>> request = GetModelStatusRequest(model_spec=ModelSpec(name="prodcls"))  # doctest: +SKIP
      >>> management.get_model_status(request)  # doctest: +SKIP
      model_version_status { version: 1 state: AVAILABLE status { } }
    """

    def __init__(
        self,
        registry: Registry,
        *,
        reload_allowed: bool = False,
        allow_labels_for_unavailable: bool = False,
        timeout: float = 120.0,
    ) -> None:
        self._registry = registry
        self._reload_allowed = reload_allowed
        self._allow_labels = allow_labels_for_unavailable
        self._timeout = timeout

    def get_model_status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """Returns the state of one version of a model, or of all, newest first.

        Args:
          request: names the model, and a version or a label if one is meant.

        Returns:
          The states; a version that failed has its error beside its state.

        Raises:
          ServingError: the model or the version is unknown (NOT_FOUND), or the label or the
            model's name is (INVALID_ARGUMENT).
        """
        if not request.HasField("model_spec"):
            raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
        spec = request.model_spec
        if not spec.name:
            raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        response = GetModelStatusResponse()
        for status in self._registry.statuses(
            spec.name,
            version=spec.version.value if choice == "version" else None,
            label=spec.version_label if choice == "version_label" else None,
        ):
            added = response.model_version_status.add(version=status.version, state=status.state)
            added.status.error_code = status.error.code.number if status.error else 0
            added.status.error_message = status.error.message if status.error else ""
        return response

    def handle_reload_config_request(
        self, request: ReloadConfigRequest, deadline: Optional[float] = None
    ) -> ReloadConfigResponse:
        """Replaces the list of models and waits until the new ones are loaded.

        Args:
          request: the whole new list; a model that it leaves out is unloaded.
          deadline: of the caller, in `time.monotonic()`.

        Returns:
          An OK.

        Raises:
          ServingError: UNIMPLEMENTED, gRPC's word for an operation that is not enabled, where
            reloads are off: PERMISSION_DENIED would tell the client that other credentials help;
            INVALID_ARGUMENT for a list that cannot be used, FAILED_PRECONDITION for a label to a
            version that is not loaded, UNKNOWN, as in TF Serving, for a model that cannot be
            loaded, ABORTED if another configuration is under way for all of the time.
        """
        if not self._reload_allowed:
            raise ServingError(
                Code.UNIMPLEMENTED,
                "HandleReloadConfigRequest is not enabled on this server. Start it with "
                "--enable_reload_config, or change its --model_config_file.",
            )
        if request.config.WhichOneof("config") != "model_config_list":
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                "ModelConfigList is currently supported",
            )
        try:
            self._reload(request, deadline)
        except ServingError as error:
            logger.error("ReloadConfig failed: %s", error)
            raise
        response = ReloadConfigResponse()
        response.status.error_code = Code.OK.number
        return response

    def _reload(self, request: ReloadConfigRequest, deadline: Optional[float]) -> None:
        try:
            models = model_configs(request.config)
        except SettingsError as error:
            raise ServingError(Code.INVALID_ARGUMENT, str(error)) from None
        timeout = self._timeout
        if deadline is not None:
            timeout = max(0.0, min(timeout, deadline - time.monotonic()))
        self._registry.configure(
            models, allow_labels_for_unavailable=self._allow_labels, timeout=timeout
        )
        missing = self._registry.unavailable()
        if missing:
            raise self._not_available(missing)

    def _not_available(self, models: Sequence[str]) -> ServingError:
        """The error of models that no version could be loaded of, with each version's own."""
        told = [text for name in models for text in self._failures(name)]
        return ServingError(
            Code.UNKNOWN,
            f"{len(models)} servable(s) did not become available: {{{', '.join(told)}}}",
        )

    def _failures(self, name: str) -> list[str]:
        try:
            failed = [status for status in self._registry.statuses(name) if status.error]
        except ServingError:  # no version was found at all
            failed = []
        if not failed:
            return [f"{{name: {name}}} due to error: no version that can be loaded was found"]
        return [
            f"{{name: {name} version: {status.version}}} due to error: {status.error}"
            for status in failed
        ]
