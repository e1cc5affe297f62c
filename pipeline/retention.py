"""What former runs left: broken pieces go, and so does what is large and old. Imports no TFX.

Nobody reads the examples and weights of old trainings: pushed versions are copies, and the rows are
those of the product files. Figures, settings, categories and verdicts stay, so that `prodcls runs`
has all to tell.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.cached import Fingerprints
from pipeline.out_folder import OutFolder
from pipeline.records import Records, here, open_store, step_of
from prodcls_tf.progress import report

_logger = logging.getLogger(__name__)

# By the channel of a step's output, what of it is large.
_LARGE = {
    "examples": ("Split-*",),
    "transformed_examples": ("Split-*",),
    "model": ("Format-Serving/saved_model.pb", "Format-Serving/variables"),
    "model_run": ("*",),
}

# A run that was killed early has left a file without tables; this makes them.
_WRITE = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE

_ENDED_WELL = (pb.Execution.COMPLETE, pb.Execution.CACHED)


def tidy(out: OutFolder) -> None:
    """Makes an output folder and its ML Metadata agree: what is called live is there, and whole.

    What steps wrote that were killed or failed is removed, and what differs from the records of its
    step; TFX makes both anew.

    Args:
      out: the output folder, held by this run.

    Example:
      >>> tidy(OutFolder(Path("no/such/folder")))
    """
    if not out.metadata.is_file():
        return
    store = open_store(out.metadata, _WRITE)
    records = Records.of(store)
    for number, execution in records.executions.items():
        if execution.last_known_state not in _ENDED_WELL:
            for folder in (out.artifacts / step_of(execution)).glob(f"*/{number}"):
                _remove(folder)
    for folder in Fingerprints(out.records).remove_damaged():
        _logger.warning("%s was not as its step left it, and is made anew", folder)
        report("checking former results", 1, 1, f"{folder.parent.parent.name} was damaged")
    lost = [
        artifact
        for _, artifact in _made(records)
        if artifact.state == pb.Artifact.LIVE
        and not Path(artifact.uri).exists()
        and not here(out.artifacts, artifact.uri, 3).exists()
    ]
    _call_deleted(store, lost)


def remove_old(out: OutFolder, keep: int) -> None:
    """Removes examples, weights and curves of old trainings, and tells ML Metadata.

    Args:
      out: the output folder, held by this run.
      keep: trainings, the last used ones, that stay as they are, with all that their runs took or
        made and all runs since.

    Example:
      >>> remove_old(OutFolder(Path("runs/mine")), keep=5)  # doctest: +SKIP
    """
    store = open_store(out.metadata, _WRITE)
    records = Records.of(store)
    used = _used(records, keep)
    large: list[Path] = []
    old = []
    for channel, artifact in _made(records):
        if artifact.id in used:
            continue
        folder = here(out.artifacts, artifact.uri, 3)
        found = [path for pattern in _LARGE.get(channel, ()) for path in folder.glob(pattern)]
        if found:
            Fingerprints(out.records).forget(folder)
            old.append(artifact)
            large += found
    # First: whatever ends this in between, nothing is called live that is not there.
    _call_deleted(store, old)
    for path in large:
        _remove(path)


def _used(records: Records, keep: int) -> set[int]:
    """Ids of the artifacts of the last runs, back to so many trainings."""
    trainings: set[int] = set()
    used: set[int] = set()
    for run in reversed(records.runs):
        models = {
            records.outputs.get(execution.id, {})["model"].id
            for execution in records.of_step("Trainer", among=run)
            if "model" in records.outputs.get(execution.id, {})
        }
        if len(trainings | models) > keep:
            break
        trainings |= models
        for number in run:
            for side in (records.inputs, records.outputs):
                used |= {artifact.id for artifact in side.get(number, {}).values()}
    return used


def _made(records: Records) -> Iterator[tuple[str, pb.Artifact]]:
    """Yields what steps made, by channel; a cached one took over what another one made."""
    for number, execution in records.executions.items():
        if execution.last_known_state == pb.Execution.COMPLETE:
            yield from records.outputs.get(number, {}).items()


def _call_deleted(store: mlmd.MetadataStore, artifacts: Sequence[pb.Artifact]) -> None:
    for artifact in artifacts:
        artifact.state = pb.Artifact.DELETED
    store.put_artifacts(artifacts)


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        # The run is no worse for it, and the next one tries again.
        _logger.warning("%s could not be removed: %s", path, error)
    else:
        _logger.info("%s of a former run was removed", path)
