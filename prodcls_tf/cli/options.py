"""Options that several commands share, so that they are called the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from prodcls_tf.cli import quiet

if TYPE_CHECKING:
    from prodcls_tf.settings import Settings

Config = Annotated[
    Optional[Path],
    typer.Option("--config", metavar="FILE", help="Settings in YAML; see `prodcls settings`."),
]
Set = Annotated[
    Optional[list[str]],
    typer.Option("--set", metavar="A.B=C", help="One setting, such as training.epochs=3."),
]
Text = Annotated[
    Optional[list[str]],
    typer.Option("--text", metavar="COLUMN", help="A text column, the title first."),
]
Label = Annotated[
    Optional[str],
    typer.Option("--label", metavar="COLUMN", help="The column with the category path."),
]
Hparams = Annotated[
    Optional[Path],
    typer.Option(
        "--hparams", metavar="FILE", help="Settings that a search found: its hparams.yaml."
    ),
]
Products = Annotated[
    Optional[list[Path]],
    typer.Argument(
        metavar="[FILE]...",
        help="Product files or folders of them (CSV, JSON lines, Parquet), to be split.",
        show_default=False,
    ),
]
Train = Annotated[
    Optional[list[Path]],
    typer.Option("--train", metavar="FILE", help="Rows to learn from, of a ready split."),
]
Val = Annotated[
    Optional[list[Path]], typer.Option("--val", metavar="FILE", help="Rows that choose the best.")
]
Test = Annotated[
    Optional[list[Path]], typer.Option("--test", metavar="FILE", help="Rows that are held out.")
]
WarmStart = Annotated[
    bool,
    typer.Option(
        "--warm-start", help="Go on from the model that serves, not from the pretrained encoder."
    ),
]
IfNew = Annotated[
    bool,
    typer.Option(
        "--if-new", help="Do nothing if the last run had the same files and settings (for cron)."
    ),
]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where all results go.")]
Model = Annotated[
    Path,
    typer.Option(
        "--model", metavar="FOLDER", help="A run's output folder, or a SavedModel's folder."
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        callback=quiet.set_debug,
        is_eager=True,
        help="Show all output of libraries, and tracebacks.",
    ),
]


def load_settings(
    config: Optional[Path],
    overrides: Optional[Sequence[str]],
    text: Optional[Sequence[str]] = None,
    label: Optional[str] = None,
    hparams: Optional[Path] = None,
) -> Settings:
    """Reads settings as the shared options give them; single options win over the files.

    Raises:
      SettingsError: the file or an option does not fit.
    """
    from prodcls_tf.settings import Settings

    settings = Settings.load(config, overrides or (), hparams)
    values = settings.model_dump(mode="json")
    if text:
        values["data"]["text"] = list(text)
    if label is not None:
        values["data"]["label"] = label
    return Settings.parse(values, source="the options")
