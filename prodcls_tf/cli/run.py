"""`prodcls run`: from product files to an evaluated, pushed model."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import typer

from prodcls_tf.cli import options, quiet, terminal
from prodcls_tf.cli.found import find_splits
from prodcls_tf.errors import InputError

if TYPE_CHECKING:
    from pipeline.summary import Summary
    from prodcls_tf.settings import Settings

Files = Optional[list[Path]]


def run(
    files: options.Products = None,
    text: options.Text = None,
    label: options.Label = None,
    out: options.Out = Path("runs/mine"),
    train: options.Train = None,
    val: options.Val = None,
    test: options.Test = None,
    config: options.Config = None,
    hparams: options.Hparams = None,
    set_: options.Set = None,
    warm_start: options.WarmStart = False,
    if_new: options.IfNew = False,
    debug: options.Debug = False,
) -> None:
    """Train on product files: intake, TFX pipeline, evaluation, push.

    Example: prodcls run products.csv --text title --text description --label category
    """
    settings = options.load_settings(config, set_, text, label, hparams)
    sources = find_sources(files, train, val, test, settings.data.spans)
    # It reads all files, so once for both.
    fingerprint = _fingerprint(sources) if if_new or warm_start else ""
    if if_new and not _is_new(settings, fingerprint, out):
        terminal.note(f"nothing new since the last run in {out}")
        return
    if warm_start:
        settings = _warmly(settings, fingerprint, out)
    summary = execute(settings, sources, out)
    prodcls, folder = terminal.program(), shlex.quote(str(out))
    if not summary.pushed:
        words = command_line(sources, settings, out, config, set_)
        words += ["--set", "training.learning_rate=5e-5"]
        again = shlex.join(words)
        terminal.next_steps(
            [
                _tensorboard(out),
                ("with other settings: starts at the Trainer", f"{prodcls} run {again}"),
            ]
        )
        raise typer.Exit(1)
    ask = f"{prodcls} classify --model {folder}"
    terminal.next_steps(
        [
            ("ask it", f"{ask} 'a title'"),
            ("classify a file", f"{ask} --input products.csv --output answers.csv"),
            *serving_steps(settings, out),
        ]
    )


def _fingerprint(sources: Mapping[str, Sequence[Path]]) -> str:
    from pipeline.arguments import digest_of

    return digest_of(sources)


def _is_new(settings: Settings, fingerprint: str, out: Path) -> bool:
    from pipeline.continuing import is_new

    return is_new(settings, fingerprint, out)


def _warmly(settings: Settings, fingerprint: str, out: Path) -> Settings:
    from pipeline.continuing import with_warm_start

    settings = with_warm_start(settings, fingerprint, out)
    start = settings.training.warm_start
    if start:
        terminal.note(f"goes on from version {Path(start).name}")
    else:
        terminal.note(f"no model serves in {out} yet: starts from the pretrained encoder")
    return settings


def find_sources(
    files: Files, train: Files, val: Files, test: Files, spans: int = 0
) -> dict[str, list[Path]]:
    """Sorts the files given into what the pipeline takes.

    Args:
      files: to be split.
      train: of a ready split; `val` and `test` likewise.
      val: see `train`.
      test: see `train`.
      spans: how many of the newest spans of a folder are taken; 0 for all.

    Returns:
      Files by `all`, or by `train`, `val` and `test` as far as they were given.

    Raises:
      InputError: no files, both ways at once, a split without `train`, a missing file, or no span
        where spans are asked for.
    """
    given: Mapping[str, Files] = {"train": train, "val": val, "test": test}
    splits = {name: paths for name, paths in given.items() if paths}
    if bool(files) == bool(splits) or (splits and not train):
        shown = [name for name in ("files" if files else "", *(f"--{s}" for s in splits)) if name]
        raise InputError(
            "A run takes product files to be split, or a ready split with --train and, if there "
            f"are such, --val and --test. Received: {' and '.join(shown) or 'neither'}. For "
            "instance: prodcls run products.csv --text title --label category"
        )
    return find_splits({"all": files} if files else splits, spans)


def execute(settings: Settings, sources: Mapping[str, Sequence[Path]], out: Path) -> Summary:
    """Runs the pipeline, draws its progress and prints its result.

    Returns:
      The summary, as OUT/summary.json has it.
    """
    from pipeline.runner import run as run_pipeline
    from prodcls_tf.cli.result import show_result

    announce(settings, sources, out)
    with guided():
        summary = run_pipeline(settings, {name: list(p) for name, p in sources.items()}, out)
    show_result(summary, out)
    return summary


def announce(settings: Settings, sources: Mapping[str, Sequence[Path]], out: Path) -> None:
    """Says what goes into a run, and where its results go."""
    what = terminal.counted(sum(len(paths) for paths in sources.values()), "file")
    fields = ", ".join(settings.data.text)
    terminal.err().print(
        f"[bold]prodcls[/bold]  {what}: {fields} → {settings.data.label}, into {out}",
        soft_wrap=True,
    )


@contextlib.contextmanager
def guided() -> Iterator[None]:
    """Draws the progress of a run of the pipeline, and keeps the libraries' noise away."""
    from prodcls_tf import progress
    from prodcls_tf.cli.steps import Steps

    quiet.send_noise_away()
    try:
        with Steps("loading TensorFlow and TFX") as steps, progress.listening(steps):
            yield
    except KeyboardInterrupt:
        terminal.note("what is finished is kept: the same command goes on from there")
        raise


def serving_steps(settings: Settings, out: Path) -> list[tuple[str, str]]:
    """What to type to serve a pushed model and to look at its training."""
    program, name = terminal.program(), settings.push.model_name
    ask = f"{program} ask 'a title'"
    if name != "prodcls":
        ask += f" --model {shlex.quote(name)}"
    return [
        ("serve it", f"{program} serve --model {shlex.quote(str(out))}"),
        ("ask the server", ask),
        _tensorboard(out),
    ]


def _tensorboard(out: Path) -> tuple[str, str]:
    command = f"{terminal.program()} tensorboard --out {shlex.quote(str(out))}"
    return "see how the training went", command


def command_line(
    sources: Mapping[str, Sequence[Path]],
    settings: Settings,
    out: Path,
    config: Optional[Path],
    set_: Optional[Sequence[str]],
) -> list[str]:
    """The arguments of another run on the same files, with the same settings."""
    words: list[str] = []
    for name, paths in sources.items():
        for path in paths[:3]:
            words += [str(path)] if name == "all" else [f"--{name}", str(path)]
    for column in settings.data.text:
        words += ["--text", column]
    words += ["--label", settings.data.label, "--out", str(out)]
    if config is not None:
        words += ["--config", str(config)]
    for one in set_ or ():
        words += ["--set", one]
    return words
