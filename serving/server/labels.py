"""What a new configuration may ask for: checks before it is taken, and labels after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serving.server.lifecycle import Model
from serving.server.model_config import ModelConfig
from serving.server.repository import list_versions
from serving.server.shelf import Known
from serving.server.status import Code, ServingError


def check_moves(configs: Sequence[ModelConfig], known: Mapping[str, Known]) -> None:
    """Refuses a new folder for a model if a version in it bears the number of a loaded one.

    The two could not be told apart: by clients, and by the registry, which would take the loaded
    one for the other.

    Args:
      configs: the new list.
      known: what is loaded now, by model.

    Raises:
      ServingError: FAILED_PRECONDITION.
    """
    for config in configs:
        old = known.get(config.name)
        if old is None or old.config.folder == config.folder:
            continue
        clash = sorted(old.alive.intersection(config.policy.wanted(_on_disk(config))))
        if clash:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"A new base_path must hold other version numbers than those that are loaded. "
                f"Received {config.base_path} for model {config.name}, of which version "
                f"{clash[-1]} is loaded from {old.config.base_path}. Number the versions there "
                "higher, or take the model out of the configuration first.",
            )


def check_labels(configs: Sequence[ModelConfig], known: Mapping[str, Known]) -> None:
    """Refuses labels to versions that the configuration itself would not load.

    Args:
      configs: the new list.
      known: what is loaded now, by model.

    Raises:
      ServingError: FAILED_PRECONDITION.
    """
    for config in configs:
        if not config.labels:
            continue
        versions, failed = _on_disk(config), set[int]()
        old = known.get(config.name)
        if old is not None and old.config.folder == config.folder:
            versions, failed = versions | old.alive, old.failed
        # A failed one may have been mended meanwhile: either may come about.
        loaded = {
            *config.policy.wanted(versions),
            *config.policy.wanted(versions - failed),
        }
        for number in config.labels.values():
            if number not in loaded:
                raise _not_available(config.name, number)


def new_labels(
    configs: Sequence[ModelConfig], models: Mapping[str, Model], *, allow: bool
) -> dict[str, dict[str, int]]:
    """Returns the labels of all models, now that their versions are loaded.

    Args:
      configs: the new list.
      models: as they are now; call with the registry's lock.
      allow: whether a label that is not in use may name a version that is not loaded.

    Returns:
      Version numbers by model and label.

    Raises:
      ServingError: FAILED_PRECONDITION for a version that is not loaded.
    """
    for config in configs:
        model = models[config.name]
        for label, number in config.labels.items():
            unused = model.labels.get(label, number) == number
            if model.available(number) is None and not (allow and unused):
                raise _not_available(config.name, number)
    return {config.name: dict(config.labels) for config in configs}


def _on_disk(config: ModelConfig) -> set[int]:
    try:
        return set(list_versions(config.folder))
    except OSError:
        return set()


def _not_available(name: str, number: int) -> ServingError:
    return ServingError(
        Code.FAILED_PRECONDITION,
        f"Request to assign label to version {number} of model {name}, which is not currently "
        "available for inference",
    )
