"""The command `prodcls`: its subcommands, and what becomes of errors."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Annotated, Any, Optional

import typer

from prodcls_tf import __version__
from prodcls_tf.cli import quiet, terminal
from prodcls_tf.cli.ask import ask
from prodcls_tf.cli.classify import classify
from prodcls_tf.cli.demo import demo
from prodcls_tf.cli.doctor import doctor
from prodcls_tf.cli.evaluate import evaluate
from prodcls_tf.cli.extras import what_is_missing
from prodcls_tf.cli.models import models
from prodcls_tf.cli.run import run
from prodcls_tf.cli.runs import runs
from prodcls_tf.cli.schema import schema
from prodcls_tf.cli.serve import ServeCommand, serve
from prodcls_tf.cli.settings import settings
from prodcls_tf.cli.tensorboard import tensorboard
from prodcls_tf.cli.tune import tune
from prodcls_tf.cli.watch import watch
from prodcls_tf.errors import ProdclsError

DONE, REFUSED, UNUSABLE, FAULT, INTERRUPTED = 0, 1, 2, 3, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, run, tune, watch, classify, ask, evaluate, tensorboard, settings, doctor):
    app.command()(command)
app.command(cls=ServeCommand)(serve)
app.add_typer(runs, name="runs")
app.add_typer(schema, name="schema")
app.add_typer(models, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        terminal.out().print(f"prodcls {__version__}")
        raise typer.Exit


@app.callback()
def _prodcls(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Its version.")
    ] = False,
) -> None:
    """Puts a shop's products into the categories of its tree by fine-tuning BERT."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs one command.

    Args:
      arguments: as typed after `prodcls`; None for those of this process.

    Returns:
      The exit code; `prodcls_tf.cli` has the table.
    """
    quiet.set_environment()
    code = _guarded(arguments)
    if code == INTERRUPTED:
        terminal.err().print("\nInterrupted.")
    if code != FAULT:
        quiet.forget_log()
    return code


def _guarded(arguments: Optional[Sequence[str]]) -> int:
    """Runs a command, and turns what goes wrong into a message and an exit code."""
    try:
        return _call(arguments)
    except ProdclsError as error:
        return _show(error, UNUSABLE)
    except Exception as error:
        missing = what_is_missing(error)
        if missing is not None:
            return _show(ProdclsError(missing), UNUSABLE)
        return _show(error, FAULT)


def _call(arguments: Optional[Sequence[str]]) -> int:
    try:
        result: Any = app(
            args=list(arguments) if arguments is not None else None, prog_name="prodcls"
        )
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    return result if isinstance(result, int) else DONE


def _show(error: Exception, code: int) -> int:
    """Prints an error as one message: what to do if it is the user's, where to look if ours."""
    if quiet.debugging():
        traceback.print_exc()
    log = quiet.log_file()
    if log is not None and not quiet.debugging():
        with log.open("a", encoding="utf-8") as stream:
            traceback.print_exc(file=stream)
    if code == UNUSABLE:
        terminal.say_error("Error", str(error))
        return code
    where = f"The log is in {log}." if log is not None else "Add --debug to see where."
    what = f"{type(error).__name__}: {error}\n{where}"
    terminal.say_error("Fault of prodcls", f"{what} Please report it with the command you typed.")
    return code
