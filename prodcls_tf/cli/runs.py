"""`prodcls runs`: which models were trained, how good they are, and which one serves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from prodcls_tf.cli import options, quiet, terminal
from prodcls_tf.errors import InputError

if TYPE_CHECKING:
    from pipeline.training import Training

runs = typer.Typer(
    no_args_is_help=True,
    help="List the models that were trained, show one, compare several.",
)

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
_RUN = "As `prodcls runs list` names it: FOLDER:ID, or FOLDER if it has one model."


@runs.command("list")
def list_runs(
    folders: Annotated[
        Optional[list[Path]],
        typer.Argument(
            metavar="[FOLDER]...",
            help="Output folders of runs, or folders of such; runs, if none is named.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    debug: options.Debug = False,
) -> None:
    """List trained models, newest first, and the settings in which they differ.

    Example: prodcls runs list runs/mine
    """
    quiet.send_noise_away()
    from prodcls_tf.cli import runs_found, runs_json, runs_listed

    histories = runs_found.find_histories(folders or [Path("runs")])
    if json:
        runs_json.print_list(histories)
    else:
        runs_listed.show_list(histories)


@runs.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help=_RUN)],
    json: Json = False,
    debug: options.Debug = False,
) -> None:
    """Show all that is known of one trained model.

    Example: prodcls runs show runs/mine:6
    """
    quiet.send_noise_away()
    from prodcls_tf.cli import runs_json, runs_shown

    (training,) = _find(run)
    if json:
        runs_json.print_one(training)
    else:
        runs_shown.show_one(training)


@runs.command()
def compare(
    names: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help=_RUN)],
    json: Json = False,
    debug: options.Debug = False,
) -> None:
    """Compare trained models with the first one: figures, categories, settings.

    Example: prodcls runs compare runs/mine:6 runs/mine:30
    """
    quiet.send_noise_away()
    from prodcls_tf.cli import runs_compared, runs_json

    trainings = _find(*names)
    if len({(training.out, training.id) for training in trainings}) < max(2, len(trainings)):
        raise InputError(
            f"A comparison takes two runs or more, each of them once. Received: {' '.join(names)}. "
            "`prodcls runs list` names all there are."
        )
    if json:
        runs_json.print_comparison(trainings)
    else:
        runs_compared.show_comparison(trainings)


def _find(*names: str) -> list[Training]:
    from prodcls_tf.cli.runs_found import find_run

    found = [find_run(name) for name in names]
    # Several runs may be of one folder.
    for problem in dict.fromkeys(problem for _, problems in found for problem in problems):
        terminal.note(problem)
    return [training for training, _ in found]
