"""`prodcls schema`: what rows were accepted as, and taking over what a stopped run has seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodcls_tf.cli import options, terminal

schema = typer.Typer(
    no_args_is_help=True,
    help="Show what a run's rows are compared with, or accept other ones.",
)


@schema.command()
def show(
    out: options.Out = Path("runs/mine"),
    categories: Annotated[
        bool, typer.Option("--categories", help="List all categories with their rows.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    debug: options.Debug = False,
) -> None:
    """Show the accepted schema, and what the last run found unusual.

    Example: prodcls schema show --out runs/mine --categories
    """
    from prodcls_tf.cli import schema_shown

    if json:
        schema_shown.print_json(out)
    else:
        schema_shown.show(out, categories)


@schema.command()
def accept(out: options.Out = Path("runs/mine"), debug: options.Debug = False) -> None:
    """Accept the rows for which the last run was stopped: the same command then goes on.

    Example: prodcls schema accept --out runs/mine
    """
    from datetime import datetime, timezone

    from pipeline import accepted
    from pipeline.out_folder import OutFolder
    from prodcls_tf.cli import schema_shown

    folder = OutFolder(schema_shown.checked(out).expanduser().absolute())
    # Not while a run is at work there, which may be about to write.
    with folder.held():
        state = accepted.accept(folder.schema, datetime.now(timezone.utc), "prodcls schema accept")
    schema_shown.show_accepted(state)
    terminal.out().print("\n  The command that was stopped now goes on: run it again.")
