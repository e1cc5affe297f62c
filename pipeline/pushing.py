"""Whether a former push still stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.launching import Step
from pipeline.versions import newest_version, number
from prodcls_tf.release.order import follows_newest


class PushGuard:
    """Knows when the Pusher must run although TFX has a former result of it.

    TFX takes a former push for done for ever. But its version may have been deleted since, or a
    model of other settings may have been pushed after it: then what serves is not the model of
    this run, until it is pushed again. Where `models.config` says what serves, a further push
    would not change it, so that a version which is still there is left alone.

    Args:
      serving: the folder of versions.
      metadata: the SQLite file of ML Metadata.
    """

    def __init__(self, serving: Path, metadata: Path) -> None:
        """See the class."""
        self._serving = serving
        self._metadata = metadata

    def __call__(self, step: str, done: Mapping[str, Step]) -> bool:
        """Says whether a step must run afresh."""
        if step != "Pusher":
            return False
        (model,) = done["Trainer"].outputs["model"]
        pushed = self._last_push(model.id)
        if pushed is None:
            return False
        if follows_newest(self._serving):
            return pushed != newest_version(self._serving)
        return not pushed.is_dir()

    def _last_push(self, model_id: int) -> Path | None:
        """Where this model was pushed last, None where it never was."""
        store = mlmd.MetadataStore(sqlite_metadata_connection_config(str(self._metadata)))
        readers = {
            event.execution_id
            for event in store.get_events_by_artifact_ids([model_id])
            if event.type == metadata_store_pb2.Event.INPUT
        }
        written = {
            event.artifact_id
            for event in store.get_events_by_execution_ids(readers)
            if event.type == metadata_store_pb2.Event.OUTPUT
        }
        pushes = [
            Path(artifact.custom_properties["pushed_destination"].string_value)
            for artifact in store.get_artifacts_by_id(written)
            if "pushed_destination" in artifact.custom_properties
        ]
        return max(pushes, key=number, default=None)
