"""`prodcls ask`: categories of titles, or of whole files, from a model server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from prodcls_tf.cli import options, quiet, terminal
from prodcls_tf.cli.classify import ENDINGS, cut, show_answers
from prodcls_tf.cli.found import find_files
from prodcls_tf.cli.outputs import check_output
from prodcls_tf.errors import InputError

if TYPE_CHECKING:
    from serving.client import Client

_PANEL = "TLS"
_Tls = Annotated[bool, typer.Option("--tls", help="Use it.", rich_help_panel=_PANEL)]
_Ca = Annotated[
    Optional[Path],
    typer.Option("--ca", metavar="PEM", help="Who signs servers.", rich_help_panel=_PANEL),
]
_Cert = Annotated[
    Optional[Path],
    typer.Option("--cert", metavar="PEM", help="My certificate.", rich_help_panel=_PANEL),
]
_Key = Annotated[
    Optional[Path],
    typer.Option("--key", metavar="PEM", help="Its private key.", rich_help_panel=_PANEL),
]
# Who types a title wants to know soon that nobody answers.
_RETRIES = 4


def ask(
    titles: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="[TITLE]...", help="Titles to ask about.", show_default=False),
    ] = None,
    server: Annotated[
        str, typer.Option("--server", metavar="HOST:PORT", help="Its gRPC address.")
    ] = "localhost:8500",
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="The model's name on the server.")
    ] = "prodcls",
    model_version: Annotated[
        Optional[int], typer.Option(min=0, help="One version of it; the newest.")
    ] = None,
    model_label: Annotated[
        Optional[str], typer.Option(help="The version with this label, instead.")
    ] = None,
    input_: Annotated[
        Optional[list[Path]],
        typer.Option("--input", metavar="FILE", help="Product files of any size, instead."),
    ] = None,
    output: Annotated[
        Optional[Path],
        typer.Option(
            "--output",
            metavar="FILE",
            help="Their rows with categories: .csv or .jsonl. After an interruption, the same "
            "command goes on.",
        ),
    ] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Throw away what an interrupted call wrote.")
    ] = False,
    text: options.Text = None,
    top_k: Annotated[
        Optional[int], typer.Option(min=1, help="Categories a row; all the model gives.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of the files.")] = "auto",
    in_flight: Annotated[
        int, typer.Option(min=1, max=1_000, help="Requests for a file's rows at once.")
    ] = 8,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1, help="Seconds for a request, repetitions included while nobody answers."
        ),
    ] = 60.0,
    max_message_bytes: Annotated[
        int,
        typer.Option(
            min=1_024, max=2**31 - 1, help="Longest request and answer; the server has it, too."
        ),
    ] = 16 << 20,
    tls: _Tls = False,
    ca: _Ca = None,
    cert: _Cert = None,
    key: _Key = None,
    debug: options.Debug = False,
) -> None:
    """Ask a model server for the categories of titles, or of all rows of files.

    Example: prodcls ask 'wireless mouse 2.4 GHz' --server localhost:8500
    """
    if bool(titles) == bool(input_) or bool(input_) != bool(output):
        raise InputError(
            "Name either titles, or files with --input and --output. For instance: "
            "prodcls ask --server localhost:8500 'usb c cable 2m'"
        )
    files: list[Path] = []
    if input_ and output:
        files = find_files(input_)
        check_output(output, ENDINGS, files)
    quiet.send_noise_away()
    from serving.client import Client, Tls

    tls_files = Tls(ca, cert, key) if tls or ca or cert or key else None
    with Client(
        server,
        model=model,
        version=model_version,
        label=model_label,
        timeout=timeout,
        # Files wait as long as the time holds: a server that is being started costs no row.
        retries=_RETRIES if titles else None,
        tls=tls_files,
        max_message_bytes=max_message_bytes,
    ) as client:
        if titles:
            _ask_titles(client, titles, text, top_k)
        elif output:
            from prodcls_tf.cli.ask_files import FileQuestion, ask_files

            with terminal.busy(f"asking {client.target}"):
                fields = client.fields()
                (blank,) = client.classify({field: [""] for field in fields})
            width = len(cut(blank.ranked, top_k))
            question = FileQuestion.of(files, output, fields, text, encoding, width)
            ask_files(client, question, in_flight=in_flight, fresh=from_start)


def _ask_titles(
    client: Client, titles: Sequence[str], text: Optional[Sequence[str]], top_k: Optional[int]
) -> None:
    from prodcls_tf.data.cleaning import clean

    with terminal.busy(f"asking {client.target}"):
        question = {field: [""] * len(titles) for field in client.fields()}
        field = _title_field(list(question), text)
        answers = client.classify({**question, field: [clean(title) for title in titles]})
    show_answers(titles, [cut(answer.ranked, top_k) for answer in answers])


def _title_field(fields: Sequence[str], text: Optional[Sequence[str]]) -> str:
    """Which of the model's fields a title is."""
    named = (text or ["title"])[0]
    if named in fields:
        return named
    if text or len(fields) > 1:
        raise InputError(
            f"A title must go into one of the model's fields: {', '.join(fields)}. Received "
            f"{named}. Name the field with --text."
        )
    return fields[0]
