"""Which models are to be served, from which folders, which of their versions."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tensorflow_serving.config import model_server_config_pb2

from prodcls_tf.errors import SettingsError
from serving.server.text_proto import read_text_proto

_PLATFORM = "tensorflow"


@dataclass(frozen=True)
class Policy:
    """Which versions of a model are wanted.

    Args:
      kind: `latest`, `all` or `specific`.
      count: for `latest`: how many.
      versions: for `specific`: which.

    Example:
      >>> Policy("latest", count=2).wanted([1, 5, 3])
      [5, 3]
    """

    kind: Literal["latest", "all", "specific"] = "latest"
    count: int = 1
    versions: frozenset[int] = frozenset()

    def wanted(
        self, versions: Iterable[int], loadable: Callable[[int], bool] = lambda version: True
    ) -> list[int]:
        """Chooses from the versions on disk.

        Args:
          versions: their numbers, in any order.
          loadable: says whether a version can be loaded at all; asked newest first, and no more
            than is needed. For `latest`, an older one stands in for one that cannot.

        Returns:
          Those that are wanted, newest first.
        """
        newest_first = sorted(versions, reverse=True)
        if self.kind == "specific":
            newest_first = [version for version in newest_first if version in self.versions]
        count = self.count if self.kind == "latest" else None
        return list(itertools.islice(filter(loadable, newest_first), count))


@dataclass(frozen=True)
class ModelConfig:
    """A model to serve.

    Args:
      name: by which requests call it.
      base_path: folder of its versions.
      policy: which of them are wanted.
      labels: version numbers by label.

    Raises:
      SettingsError: the name or the folder is missing, or the folder is no local one.
    """

    name: str
    base_path: str
    policy: Policy = Policy()
    labels: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name or not self.base_path:
            raise SettingsError(
                "A model must have a name and a base_path. Received the name "
                f"{self.name!r} and the base_path {self.base_path!r}. Give both."
            )
        if "://" in self.base_path:
            raise SettingsError(
                f"The base_path of model {self.name} must be a folder of this machine. Received "
                f"{self.base_path}. Mount it, or copy the versions to a folder."
            )

    @property
    def folder(self) -> Path:
        """The base path, absolute."""
        return Path(os.path.abspath(self.base_path))  # noqa: PTH100  (a link stays one)


def read_model_config_file(path: Path | str) -> list[ModelConfig]:
    """Reads a `ModelServerConfig` in text format, as TF Serving takes it.

    Args:
      path: of the file.

    Returns:
      Its models, in order.

    Raises:
      SettingsError: the file cannot be read or used.

    Example:
      >>> read_model_config_file("models.config")  # doctest: +SKIP
      [ModelConfig(name='prodcls', base_path='/srv/prodcls', ...)]
    """
    proto = read_text_proto(path, model_server_config_pb2.ModelServerConfig())
    try:
        return model_configs(proto)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def model_configs(proto: model_server_config_pb2.ModelServerConfig) -> list[ModelConfig]:
    """Turns the message, from a file or from a client, into models.

    Args:
      proto: with a `model_config_list`.

    Returns:
      Its models, in order.

    Raises:
      SettingsError: it holds something else, or an entry cannot be used.
    """
    kind = proto.WhichOneof("config")
    if kind != "model_config_list":
        # An empty file is one that is just being written, and no order to unload everything.
        raise SettingsError(
            f"A configuration must be a model_config_list. Received {kind or 'nothing'}. Add: "
            "model_config_list { config { ... } }"
        )
    models = [_model(entry) for entry in proto.model_config_list.config]
    check_names(models)
    return models


def check_names(models: Sequence[ModelConfig]) -> None:
    """Checks that no two models bear one name.

    Args:
      models: all of a configuration.

    Raises:
      SettingsError: two do.
    """
    names = [model.name for model in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(
            f"Each model must have a name of its own. Received {', '.join(twice)} more than "
            "once. Rename one, or list all versions under one base_path."
        )


def _model(entry: model_server_config_pb2.ModelConfig) -> ModelConfig:
    platform = entry.model_platform
    if entry.model_type == model_server_config_pb2.TENSORFLOW and not platform:
        platform = _PLATFORM
    if platform != _PLATFORM:
        raise SettingsError(
            f'The model_platform of model {entry.name} must be "{_PLATFORM}". Received '
            f'{platform!r}. Add: model_platform: "{_PLATFORM}"'
        )
    return ModelConfig(entry.name, entry.base_path, _policy(entry), dict(entry.version_labels))


def _policy(entry: model_server_config_pb2.ModelConfig) -> Policy:
    kind = entry.model_version_policy.WhichOneof("policy_choice")
    if kind == "all":
        return Policy("all")
    if kind == "specific":
        versions = frozenset(entry.model_version_policy.specific.versions)
        if not versions:
            raise SettingsError(
                f"A specific policy must name versions. Received none for model {entry.name}. "
                "Add: versions: NUMBER"
            )
        return Policy("specific", versions=versions)
    # As with TF Serving, none at all means one.
    return Policy("latest", count=max(entry.model_version_policy.latest.num_versions, 1))
