"""What ML Metadata knows of an output folder, read in one go and without TFX."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from prodcls_tf.errors import InputError

Channels = dict[str, pb.Artifact]

_DONE = (pb.Execution.COMPLETE, pb.Execution.CACHED)


@dataclass(frozen=True)
class Records:
    """Executions of steps, and the artifacts that they took and made.

    Attributes:
      executions: by id, in the order in which they began.
      runs: ids of the executions of each `prodcls run`, the oldest run first.
      inputs: by execution, what it took, by the channel's name.
      outputs: by execution, what it made, or took over from a former one.
    """

    executions: dict[int, pb.Execution]
    runs: list[list[int]]
    inputs: dict[int, Channels] = field(default_factory=dict)
    outputs: dict[int, Channels] = field(default_factory=dict)

    @classmethod
    def read(cls, metadata: Path) -> Records:
        """Reads a store.

        Args:
          metadata: the SQLite file. It is not written, and not made where it is missing.

        Returns:
          All of it.

        Raises:
          InputError: it is missing, or not a store that can be read.

        Example:
          >>> Records.read(Path("runs/mine/metadata.sqlite")).of_step("Trainer")  # doctest: +SKIP
        """
        if not metadata.is_file():
            raise InputError(
                f"The history of runs is in ML Metadata. Received {metadata}, which is missing. "
                "Name the folder that `prodcls run --out` was given."
            )
        try:
            return cls.of(open_store(metadata))
        except Exception as error:
            first = _recovered(metadata)
            if first is not None:
                return first
            # ml_metadata raises plain RuntimeErrors, and errors of its own for each status code.
            raise InputError(
                f"The history of runs must be a SQLite file of ML Metadata. Received {metadata}: "
                f"{str(error).partition(' query: ')[0]}. If the file is damaged, move it away: "
                "the next run makes a new one, and trains afresh."
            ) from None

    @classmethod
    def of(cls, store: mlmd.MetadataStore) -> Records:
        """Reads a store that is open."""
        executions = {found.id: found for found in store.get_executions()}
        artifacts = {found.id: found for found in store.get_artifacts()}
        inputs: dict[int, Channels] = defaultdict(dict)
        outputs: dict[int, Channels] = defaultdict(dict)
        events = store.get_events_by_execution_ids(list(executions)) if executions else []
        for event in events:
            side = inputs if event.type == pb.Event.INPUT else outputs
            if event.artifact_id in artifacts and event.path.steps:
                channel = event.path.steps[0].key
                side[event.execution_id][channel] = artifacts[event.artifact_id]
        runs = [
            sorted(execution.id for execution in store.get_executions_by_context(context.id))
            for context in sorted(store.get_contexts(), key=lambda context: context.id)
            if context.type == "pipeline_run"
        ]
        ordered = {number: executions[number] for number in sorted(executions)}
        return cls(ordered, [run for run in runs if run], dict(inputs), dict(outputs))

    def of_step(self, step: str, among: Iterable[int] | None = None) -> list[pb.Execution]:
        """Returns the executions of a step, such as `Trainer`, the oldest first."""
        chosen = self.executions if among is None else among
        found = [self.executions[number] for number in chosen if number in self.executions]
        return [execution for execution in found if step_of(execution) == step]

    def readers(self, artifact: pb.Artifact, step: str) -> list[pb.Execution]:
        """Returns the executions of a step that ended well on an artifact, the oldest first."""
        return [
            execution
            for execution in self.of_step(step)
            if execution.last_known_state in _DONE
            and any(taken.id == artifact.id for taken in self.inputs.get(execution.id, {}).values())
        ]

    def maker(self, artifact: pb.Artifact) -> pb.Execution | None:
        """Returns the execution that made an artifact, None where the store has lost it."""
        for number, execution in self.executions.items():
            made = self.outputs.get(number, {}).values()
            if any(output.id == artifact.id for output in made):
                return execution
        return None


def step_of(execution: pb.Execution) -> str:
    """Returns the name of the step that an execution is of."""
    return execution.type.rpartition(".")[2]


def text(node: pb.Execution | pb.Artifact, name: str) -> str:
    """Returns a property of an execution or an artifact, empty where it has none such."""
    return node.custom_properties[name].string_value if name in node.custom_properties else ""


def here(base: Path, uri: str, parts: int) -> Path:
    """Finds a path below an output folder, wherever that was when the path was written down.

    Args:
      base: the folder that it is below now.
      uri: the path as it was.
      parts: how many of its last names are below `base`.
    """
    return base.joinpath(*Path(uri).parts[-parts:])


def open_store(
    metadata: Path, mode: int = pb.SqliteMetadataSourceConfig.READONLY
) -> mlmd.MetadataStore:
    """Opens ML Metadata; read-only, it is not made where it is missing."""
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(metadata)
    config.sqlite.connection_mode = mode
    return mlmd.MetadataStore(config)


def _recovered(metadata: Path) -> Records | None:
    """Reads a store in which a run was killed while it wrote, None where that is not the case.

    SQLite finishes such a write off with the journal beside the file, which it cannot where it may
    only read; hence on a copy of both.
    """
    journal = metadata.with_name(f"{metadata.name}-journal")
    if not journal.is_file():
        return None
    with tempfile.TemporaryDirectory(prefix="prodcls-") as folder:
        try:
            copy = Path(shutil.copy(metadata, folder))
            shutil.copy(journal, folder)
            return Records.of(open_store(copy, pb.SqliteMetadataSourceConfig.READWRITE))
        except Exception:
            return None
