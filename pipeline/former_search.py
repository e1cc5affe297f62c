"""Finds a search like the one that is asked for, which then need not be made again.

TFX's cache spares a step whose inputs are the very artifacts that it had. After a change of the
code, or a step that ran again, they are other artifacts with the same rows; a search of an hour is
worth a closer look, which comes first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import ml_metadata as mlmd
import yaml
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.types import Artifact
from tfx.types.standard_artifacts import HyperParameters, TunerResults

from pipeline.arguments import EFFORT
from prodcls_tf.tuning.space import TuningSettings

# Where a Tuner's execution says which search it was, in its `custom_config`.
SEARCH = "search"

_KINDS = {
    "best_hyperparameters": HyperParameters.TYPE_NAME,
    "tuner_results": TunerResults.TYPE_NAME,
}


class FormerSearch(ResolverStrategy):
    """Resolves the outputs of the latest Tuner that made a certain search.

    Args:
      search: which one, see `arguments.search_name`.
      effort: what it must have been allowed at least, see `effort_of`.
    """

    def __init__(self, search: str, effort: dict[str, float]) -> None:
        """See the class."""
        self._search, self._effort = search, effort

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]] | None:
        """Chooses among the artifacts of all searches.

        Args:
          store: ML Metadata.
          input_dict: artifacts by channel.

        Returns:
          One artifact for each channel; None where no such search is known.
        """
        found = find_search(store, self._search, self._effort)
        if found is None:
            return None
        return {
            channel: [artifact for artifact in artifacts if artifact.id == found[channel]]
            for channel, artifacts in input_dict.items()
        }


def effort_of(tuning: TuningSettings | None) -> dict[str, float]:
    """Returns the settings that say how long a search goes on; none for None."""
    return tuning.model_dump(include=EFFORT) if tuning is not None else {}


def is_known(metadata: Path, search: str, effort: TuningSettings | None) -> bool:
    """Says whether an output folder has the result of a search.

    Args:
      metadata: the SQLite file of ML Metadata; may be missing.
      search: which one.
      effort: how long it must have been allowed to go on at least; None for any length.
    """
    if not metadata.is_file():
        return False
    store = mlmd.MetadataStore(sqlite_metadata_connection_config(str(metadata)))
    return find_search(store, search, effort_of(effort)) is not None


def find_search(
    store: mlmd.MetadataStore, search: str, effort: Mapping[str, float]
) -> dict[str, int] | None:
    """Looks for a search in ML Metadata.

    Args:
      store: ML Metadata.
      search: which one.
      effort: what it must have been allowed at least.

    Returns:
      Ids of its outputs by channel; None where it was not made, or its files are gone.
    """
    outputs: dict[int, dict[str, int]] = {}
    for channel, kind in _KINDS.items():
        kept = {
            artifact.id
            for artifact in store.get_artifacts_by_type(kind)
            if artifact.state == pb.Artifact.LIVE and Path(artifact.uri).is_dir()
        }
        for event in store.get_events_by_artifact_ids(kept) if kept else []:
            if event.type == pb.Event.OUTPUT:
                outputs.setdefault(event.execution_id, {})[channel] = event.artifact_id
    made = store.get_executions_by_id([number for number in outputs if outputs[number]])
    for execution in sorted(made, key=lambda execution: execution.id, reverse=True):
        config = json.loads(execution.custom_properties["custom_config"].string_value or "null")
        whole = len(outputs[execution.id]) == len(_KINDS)
        if whole and config and config.get(SEARCH) == search and _allowed(config, effort):
            return outputs[execution.id]
    return None


def _allowed(config: Mapping[str, str], effort: Mapping[str, float]) -> bool:
    tuning = yaml.safe_load(config["settings"])["tuning"]
    return all(tuning[name] >= least for name, least in effort.items())
