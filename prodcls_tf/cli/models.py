"""`prodcls models`: which versions of a pushed model there are, and which one serves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from prodcls_tf.cli import options, quiet, terminal
from prodcls_tf.errors import InputError

if TYPE_CHECKING:
    from prodcls_tf.release.order import Order

models = typer.Typer(
    no_args_is_help=True,
    help="List the versions of a pushed model, and say which one serves.",
)

NEWEST = "latest"
_LABEL = r"[A-Za-z0-9_.-]+"

Out = Annotated[
    Path,
    typer.Option(
        "--out", metavar="FOLDER", help="A run's output folder, or a model's folder of versions."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@models.command("list")
def list_versions(
    out: Out = Path("runs/demo"), json: Json = False, debug: options.Debug = False
) -> None:
    """List a model's versions, newest first: figures, labels, which one serves.

    Example: prodcls models list --out runs/mine
    """
    quiet.send_noise_away()
    from prodcls_tf.cli import models_listed

    models_listed.show_versions(_base(out), as_json=json)


@models.command()
def promote(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help=f"Its number; {NEWEST} for the newest always.")
    ],
    out: Out = Path("runs/demo"),
    label: Annotated[str, typer.Option(help="Under which clients may ask for it.")] = "stable",
    debug: options.Debug = False,
) -> None:
    """Have a version serve; versions that are pushed later wait to be promoted.

    With `latest`, each version serves as soon as it is pushed, as it is without any promotion.

    Example: prodcls models promote 1795489515 --out runs/mine
    """
    quiet.send_noise_away()
    from prodcls_tf.release import moves

    base = _base(out)
    if version != NEWEST:
        _check_label(label)
        _show(base, moves.promote(base, _number(version), label))
    elif label == moves.STABLE:
        _show(base, moves.follow_newest(base))
    else:
        raise InputError(
            f"A label names one version. Received {label} for the newest at any time. Leave "
            "--label out, or name a version's number."
        )


@models.command()
def rollback(
    out: Out = Path("runs/demo"),
    to: Annotated[
        Optional[int], typer.Option(metavar="VERSION", help="An older one; else the one before.")
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Have an older version serve, until another one is promoted.

    Example: prodcls models rollback --out runs/mine
    """
    quiet.send_noise_away()
    from prodcls_tf.release import moves

    base = _base(out)
    _show(base, moves.roll_back(base, to))


def _base(out: Path) -> Path:
    from serving.engine import find_model

    model = find_model(out.expanduser())
    if model.version is not None:
        raise InputError(
            f"A model's folder must be one of versions. Received {out}, which is a version. Name "
            f"{model.base}"
        )
    return model.base


def _number(version: str) -> int:
    if not (version.isascii() and version.isdigit()):
        raise InputError(
            f"A version is a whole number, or {NEWEST}. Received {version}. `prodcls models list` "
            "names all there are."
        )
    return int(version)


def _check_label(label: str) -> None:
    import re

    if not re.fullmatch(_LABEL, label):
        raise InputError(
            "A label consists of letters, digits, dots, dashes and underscores. Received "
            f"{label!r}. Name it, for instance, canary."
        )


def _show(base: Path, order: Order) -> None:
    """Says what serves from now on, and who is told."""
    from prodcls_tf.release.order import config_file

    out = terminal.out()
    if order.follows:
        out.print("  the newest version serves, and each newer one as soon as it is pushed")
    for label, number in sorted(order.labels.items(), key=lambda item: -item[1]):
        out.print(f"  version [good]{number}[/good] serves as {label}")
    newest = max(order.pinned, default=0)
    if order.labels and order.labels.get("stable") != newest:
        terminal.note(
            f"requests without a label get version {newest}, the highest that is served: have "
            "clients ask for the label stable"
        )
    out.print(f"  [soft]written to[/soft] {terminal.nearby(config_file(base))}", soft_wrap=True)
