"""Runs the whole pipeline in a folder: the only place that knows paths.

Importing this module costs nothing; TFX and TensorFlow are imported by `run`, with the terminal
turned away from what they print.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import prodcls_tf
from pipeline import accepted
from pipeline.arguments import (
    Encoder,
    Places,
    Sources,
    digest_of,
    origin,
    search_name,
    weights_settings,
)
from pipeline.out_folder import OutFolder, check_disk, copy, disk_needed, write
from pipeline.run_log import RunLog
from pipeline.summary import Summary
from prodcls_tf.data.files import fingerprint
from prodcls_tf.data.notes import FileNotes
from prodcls_tf.data.reading import read_file
from prodcls_tf.errors import DataError, ProdclsError
from prodcls_tf.settings import Settings
from prodcls_tf.training.wandb_package import check_wandb
from prodcls_tf.tuning.results import Search

if TYPE_CHECKING:
    from pipeline.launching import Step

_logger = logging.getLogger(__name__)

_NAME = "prodcls"
_INTAKE, _GATE = "ProductExampleGen", "SchemaGate"

# What makes ids of text: with other weights alone, the transformed examples stay as they are.
_TEXT_FILES = ("vocab.txt", "tokenizer_config.json", "tokenizer.json")


def run(settings: Settings, sources: Mapping[str, Sequence[Path]], out: Path) -> Summary:
    """Runs the pipeline, or what of it has changed since the last run in the same folder.

    Args:
      settings: all settings.
      sources: product files: `all` (to be split), or `train`, `val` and `test` (ready; `val` and
        `test` may be missing).
      out: the output folder; made if missing. It gets `serving/`, `logs/`, `summary.json`,
        `settings.yaml`, `intake.json`, `rejects.csv`, `splits/`, `anomalies.json`,
        `schema/`, `run.log`, `categories.csv` where a model served before, and the steps' artifacts
        and metadata.

    Returns:
      What the run came to, as written to `summary.json`.

    Raises:
      ProdclsError: of the kind that fits: files that cannot be used, a folder that cannot be
        written, no disk, an encoder that cannot be read, a step that failed.

    Example:
      >>> run(Settings(), {"all": [Path("products.csv")]}, Path("runs/mine"))  # doctest: +SKIP
    """
    with _at_work(settings, sources, out) as folder:
        from pipeline import collecting

        for former in (folder.summary, folder.categories):
            former.unlink(missing_ok=True)
        found = _sources(sources)
        steps = _launch(settings, found, folder)
        # The training is over and its model is kept: nothing will go on from there.
        shutil.rmtree(folder.checkpoints, ignore_errors=True)
        collecting.show_curves(steps, folder.logs)
        write(folder.anomalies, collecting.anomalies(steps).model_dump_json(indent=2))
        categories = collecting.categories_file(steps)
        if categories is not None:
            copy(categories, folder.categories)
        summary = collecting.collect(steps, settings, found)
        write(folder.summary, summary.model_dump_json(indent=2))
        if settings.tuning.enabled:
            _keep(collecting.found(steps), folder)
    return summary


def search(settings: Settings, sources: Mapping[str, Sequence[Path]], out: Path) -> Search:
    """Runs the pipeline up to the search for better settings, and no further.

    A later `run` in the same folder with `tuning.enabled` takes over what was found, and a later
    search with more trials or more time goes on with it.

    Args:
      settings: all settings; `tuning.enabled` or not.
      sources: product files, as in `run`.
      out: the output folder; gets `hparams.yaml`, and what `run` leaves as far as it comes to it.

    Returns:
      What the search came to.

    Raises:
      ProdclsError: as in `run`; or trials fail one after the other.

    Example:
      >>> search(Settings(), {"all": [Path("products.csv")]}, Path("runs/mine"))  # doctest: +SKIP
    """
    settings = settings.with_values({"tuning.enabled": True})
    with _at_work(settings, sources, out) as folder:
        from pipeline import collecting

        steps = _launch(settings, _sources(sources), folder, only_search=True)
        write(folder.anomalies, collecting.anomalies(steps).model_dump_json(indent=2))
        found = collecting.found(steps)
        _keep(found, folder)
    return found


@contextmanager
def _at_work(
    settings: Settings, sources: Mapping[str, Sequence[Path]], out: Path
) -> Iterator[OutFolder]:
    """Holds an output folder, with the engines' words sent to its log."""
    folder = OutFolder(out.expanduser().absolute())
    check_wandb(settings.wandb)
    _check_sources(settings, sources)
    if settings.checks.enabled:
        accepted.check(folder.schema)
    if folder.splits.exists():
        from prodcls_tf.data import placements

        placements.check(folder.splits)
    # The trials of a search are processes of their own, which need some of a GPU's memory.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with folder.held(), RunLog(folder.run_log) as log:
        # Seconds of imports, and warnings that no user can do anything about: hence down here.
        import pipeline.collecting
        import pipeline.pipeline
        import pipeline.pushing  # noqa: F401
        from pipeline import retention
        from pipeline.launching import no_room

        log.take_over()
        folder.check_metadata()
        aside = folder.put_lost_results_aside()
        if aside is not None:
            _logger.warning("%s is gone: former results are in %s", folder.metadata, aside)
        try:
            retention.tidy(folder)
            yield folder
            retention.remove_old(folder, settings.pipeline.keep)
        except ProdclsError:
            raise
        except Exception as error:
            full = no_room(error)
            if full is None:
                raise
            raise full from error


def _launch(
    settings: Settings, sources: Sources, folder: OutFolder, only_search: bool = False
) -> dict[str, Step]:
    from pipeline import former_search, launching, pushing
    from pipeline.cached import Fingerprints
    from pipeline.pipeline import create_pipeline
    from prodcls_tf.training.warm_start import check_fit

    for former in (folder.intake, folder.rejects):
        former.unlink(missing_ok=True)
    check_fit(settings)
    encoder = _encoder(settings)
    check_disk(folder.root, _room(Path(encoder.folder), sources))
    write(folder.settings, settings.to_yaml())
    places = _places(folder, settings, sources, encoder)
    # Both are about the last run alone.
    folder.anomalies.unlink(missing_ok=True)
    accepted.forget_candidate(folder.schema)
    checked = settings.checks.enabled
    key = accepted.cache_key(folder.schema, origin(settings, sources)) if checked else ""
    # A run takes whatever was found; who asks for a search may want a longer one.
    effort = settings.tuning if only_search else None
    searched = settings.tuning.enabled and former_search.is_known(
        folder.metadata, search_name(settings, sources, encoder), effort
    )
    pipeline = create_pipeline(
        settings,
        name=_NAME,
        sources=sources,
        encoder=encoder,
        places=places,
        accepted=key,
        searched=searched,
        only_search=only_search,
    )
    guard = pushing.PushGuard(Path(places.serving), folder.metadata)

    def launch(afresh: launching.Afresh) -> dict[str, Step]:
        return launching.launch(
            pipeline,
            folder.run_log,
            afresh,
            Fingerprints(folder.records),
            functools.partial(_keep_rows, folder, checked),
        )

    try:
        try:
            return launch(guard)
        except _OutdatedError:
            _logger.info("Rows are split again: more of their former splits is known by now")
            return launch(lambda step, done: step == _INTAKE or guard(step, done))
    except DataError:
        stopped = accepted.candidate(folder.schema)
        if stopped is not None:
            write(folder.anomalies, stopped.anomalies().model_dump_json(indent=2))
        raise


class _OutdatedError(Exception):
    """The cached result of intake knows less of former splits than is remembered by now."""


def _keep_rows(folder: OutFolder, checked: bool, step: str, done: Mapping[str, Step]) -> None:
    """Leaves what is known of the rows where people and later runs look for it."""
    from pipeline import collecting
    from prodcls_tf.data import placements

    files = collecting.intake_files(done)
    if step == _INTAKE:
        if done[step].cached and not placements.agree(files.splits, folder.splits):
            raise _OutdatedError
        # There whatever becomes of later steps.
        copy(files.report, folder.intake)
        copy(files.rejects, folder.rejects)
    # The splits of a wrong file must not be remembered: the gate lets it through first.
    if step == (_GATE if checked else _INTAKE):
        placements.remember(files.splits, folder.splits)


def _keep(found: Search, folder: OutFolder) -> None:
    """Leaves what a search found where a person looks for it."""
    write(folder.search, found.model_dump_json(indent=2))
    write(folder.hparams, found.to_yaml())


def _check_sources(settings: Settings, sources: Mapping[str, Sequence[Path]]) -> None:
    """Reads one row of each file: a wrong column is told at once, not after all the imports."""
    for files in sources.values():
        for path in files:
            # A bad row is no reason to stop here; intake counts them.
            notes = FileNotes(on_reject=lambda _: None)
            next(iter(read_file(path, settings.data, notes=notes)), None)


def _sources(sources: Mapping[str, Sequence[Path]]) -> Sources:
    files = {source: [str(path) for path in paths] for source, paths in sources.items()}
    return Sources(files, digest_of(sources), _code_version())


@functools.cache
def _code_version() -> str:
    """The version, and a digest of the code that the steps run: of other code, nothing holds.

    Read once: what this process has imported does not change when somebody edits the files.
    """
    packages = [Path(prodcls_tf.__file__).parent, Path(__file__).parent]
    files = [path for package in packages for path in sorted(package.rglob("*.py"))]
    digest = fingerprint(path for path in files if "cli" not in path.parts)
    return f"{prodcls_tf.__version__}+{digest[:12]}"


def _encoder(settings: Settings) -> Encoder:
    from prodcls_tf.model.encoder import encoder_folder

    folder = encoder_folder(settings.encoder.name)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    text = [path for path in files if path.name in _TEXT_FILES]
    return Encoder(str(folder.absolute()), fingerprint(text), fingerprint(files))


def _room(encoder_folder: Path, sources: Sources) -> int:
    encoder = sum(path.stat().st_size for path in encoder_folder.iterdir() if path.is_file())
    data = sum(Path(name).stat().st_size for names in sources.files.values() for name in names)
    return disk_needed(encoder, data)


def _places(folder: OutFolder, settings: Settings, sources: Sources, encoder: Encoder) -> Places:
    # A killed training goes on only where the same would be trained again.
    training = [weights_settings(settings), sources.fingerprint, sources.version, encoder.digest]
    return Places(
        root=str(folder.artifacts),
        metadata=str(folder.metadata),
        serving=str(folder.serving / settings.push.model_name),
        logs=str(folder.logs),
        checkpoints=str(folder.checkpoints / _digest(json.dumps(training))),
        searches=str(folder.searches),
        schema=str(folder.schema),
        rejects=str(folder.rejects),
        splits=str(folder.splits),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
