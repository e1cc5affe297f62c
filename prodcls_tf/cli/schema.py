"""`prodcls schema`: what rows were accepted as, taking over others, and what is unlike them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from prodcls_tf.cli import options, terminal

schema = typer.Typer(
    no_args_is_help=True,
    help="Show what rows are compared with, accept other ones, or compare served products.",
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


@schema.command()
def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Products that a model is asked about (CSV, JSON lines, Parquet).",
            show_default=False,
        ),
    ],
    out: options.Out = Path("runs/mine"),
    text: options.Text = None,
    label: Annotated[
        Optional[str],
        typer.Option(
            "--label", metavar="COLUMN", help="Categories to compare, too, such as category_1."
        ),
    ] = None,
    encoding: Annotated[
        Optional[str], typer.Option(help="Encoding of the files, if it is not found out.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    debug: options.Debug = False,
) -> None:
    """Compare products that a model is asked about with the accepted rows to learn from.

    Exit code 1 where they are further apart than checks.max_skew allows.

    Example: prodcls schema check served.csv --out runs/mine
    """
    from prodcls_tf.cli import schema_checked

    compared = schema_checked.compare(out, files, text, label, encoding)
    if json:
        schema_checked.print_json(compared)
    else:
        schema_checked.show(compared)
    if any(anomaly.stops for anomaly in compared.anomalies):
        raise typer.Exit(1)
