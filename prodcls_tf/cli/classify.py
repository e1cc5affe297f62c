"""`prodcls classify`: categories of titles, or of whole files."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, TypeVar

import typer
from rich.text import Text

from prodcls_tf.cli import options, quiet, terminal
from prodcls_tf.cli.found import find_files
from prodcls_tf.cli.outputs import check_output
from prodcls_tf.errors import InputError

if TYPE_CHECKING:
    from prodcls_tf.cli.answers import Ranked
    from prodcls_tf.settings import DataSettings
    from serving.saved_model import LocalModel

_Row = TypeVar("_Row")

ENDINGS = (".csv", ".jsonl", ".ndjson")

# Large enough that rows of like length find together, small enough that progress is seen.
_CHUNK = 512


def classify(
    titles: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="[TITLE]...", help="Titles to classify.", show_default=False),
    ] = None,
    model: options.Model = Path("runs/demo"),
    input_: Annotated[
        Optional[list[Path]],
        typer.Option("--input", metavar="FILE", help="Product files of any size, instead."),
    ] = None,
    output: Annotated[
        Optional[Path],
        typer.Option(
            "--output", metavar="FILE", help="Their rows with categories: .csv or .jsonl."
        ),
    ] = None,
    text: options.Text = None,
    top_k: Annotated[
        Optional[int], typer.Option(min=1, help="Categories a row; all the model gives.")
    ] = None,
    encoding: Annotated[
        Optional[str], typer.Option(help="Encoding of the files, if not the training files'.")
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Ask a model for the categories of titles, or of all rows of files.

    Example: prodcls classify --model runs/mine --input big.csv --output answers.csv
    """
    if bool(titles) == bool(input_) or bool(input_) != bool(output):
        raise InputError(
            "Name either titles, or files with --input and --output. For instance: "
            "prodcls classify --model runs/demo 'usb c cable 2m'"
        )
    files: list[Path] = []
    if input_ and output:
        files = find_files(input_)
        check_output(output, ENDINGS, files)
    loaded = load_model(model)
    if titles:
        _print_answers(loaded, titles, top_k)
    elif output:
        _classify_files(loaded, files, output, column_settings(loaded, text, encoding), top_k)


def load_model(folder: Path) -> LocalModel:
    """Loads a model without noise."""
    quiet.send_noise_away()
    with terminal.busy("loading the model"):
        from serving.saved_model import LocalModel

        return LocalModel(folder)


def column_settings(
    model: LocalModel,
    text: Optional[Sequence[str]],
    encoding: Optional[str] = None,
    label: Optional[str] = None,
) -> DataSettings:
    """Which columns of a file a model is asked about: those it learned from, unless named.

    Raises:
      InputError: another number of text columns is named than the model has fields.
    """
    from prodcls_tf.settings import Settings

    learned = (model.settings or Settings()).data
    return asked_columns(model.columns, learned, text, encoding, label)


def asked_columns(
    columns: Sequence[str],
    learned: DataSettings,
    text: Optional[Sequence[str]],
    encoding: Optional[str],
    label: Optional[str] = None,
) -> DataSettings:
    """Settings for reading files that a model is asked about.

    Args:
      columns: the text columns it takes, in their order.
      learned: those it was trained with, as far as they are known.
      text: other columns to read instead, one for each.
      encoding: the files' encoding, if not the one of `learned`.
      label: the column with the category, if not the one of `learned`.

    Raises:
      InputError: another number of text columns is named.
    """
    from prodcls_tf.settings import Settings

    data = learned.model_dump()
    data["text"] = list(text or columns)
    if len(data["text"]) != len(columns):
        raise InputError(
            f"The model takes {len(columns)} text columns: {', '.join(columns)}. "
            f"Received: {', '.join(data['text'])}. Name one column for each, in that order."
        )
    # Of no use where one model alone is asked, so a file need not have these columns.
    data["slice_by"] = data["group"] = ""
    data["encoding"] = encoding or data["encoding"]
    data["label"] = label or data["label"]
    if data["label"] in data["text"]:
        # A file to be classified may well have its title in what was the label's column.
        data["label"] = f"{data['label']} (label)"
    return Settings.parse({"data": data}, source="the options").data


def _print_answers(model: LocalModel, titles: Sequence[str], top_k: Optional[int]) -> None:
    from prodcls_tf.data.cleaning import clean_fields

    enabled = model.settings is None or model.settings.data.clean
    texts = {field: [""] * len(titles) for field in model.fields}
    texts[model.fields[0]] = list(clean_fields(titles, enabled))
    show_answers(titles, [cut(answer, top_k) for answer in model.ask(texts)])


def show_answers(titles: Sequence[str], answers: Sequence[Ranked]) -> None:
    """Prints titles with their categories, best first."""
    table = terminal.table("title", "category", "score", left=2)
    for title, answer in zip(titles, answers, strict=True):
        for rank, (category, score) in enumerate(answer):
            best = rank == 0
            style = "" if best else "soft"
            table.add_row(
                Text(title if best else ""),
                Text(category, style),
                Text(f"{score:.3f}", style),
            )
    terminal.show(table)


def _classify_files(
    model: LocalModel,
    files: list[Path],
    output: Path,
    data: DataSettings,
    top_k: Optional[int],
) -> None:
    from prodcls_tf import progress
    from prodcls_tf.cli.answers import writing
    from prodcls_tf.cli.steps import Steps
    from prodcls_tf.cli.whole_rows import whole_rows

    width = len(cut(_ask(model, [("",) * len(model.fields)])[0], top_k))
    started, done, blank = time.monotonic(), 0, 0
    with Steps() as steps, progress.listening(steps), writing(output, width) as write:
        for file in files:
            task, count = f"classifying {file.name}", 0
            for chunk in chunks(whole_rows(file, data)):
                texts = [product.row.fields for product in chunk]
                for product, answer in zip(chunk, _ask(model, texts), strict=True):
                    write(product, cut(answer, top_k))
                count += len(chunk)
                blank += sum(not any(map(str.strip, row)) for row in texts)
                progress.report(task, count, detail="rows")
            progress.report(task, count, count, terminal.counted(count))
            done += count
        if not done:
            from prodcls_tf.data.reading import no_rows

            raise no_rows(files)
    show_done(output, done, blank, done / max(time.monotonic() - started, 1e-3))


def show_done(output: Path, rows: int, blank: int, speed: float) -> None:
    """Says what was written.

    Args:
      output: the file.
      rows: its rows.
      blank: those of them that have no text.
      speed: rows a second.
    """
    if blank:
        terminal.note(f"{terminal.counted(blank)} without text: the categories there mean nothing")
    what = f"\n  {terminal.counted(rows)} in {output}   "
    terminal.err().print(Text.assemble(what, (f"{speed:,.0f} rows/s", "soft")))


def cut(answer: Ranked, top_k: Optional[int]) -> Ranked:
    """The best `top_k` of an answer.

    Raises:
      InputError: the model gives fewer.
    """
    if top_k is not None and top_k > len(answer):
        raise InputError(
            f"This model gives at most {len(answer)} categories. Received --top-k {top_k}. "
            f"For more, train with --set push.top_k={top_k} (its tree must have as many)."
        )
    return answer[:top_k]


def _ask(model: LocalModel, texts: Sequence[tuple[str, ...]]) -> list[list[tuple[str, float]]]:
    columns = zip(*texts, strict=True)
    return model.ask({f: list(c) for f, c in zip(model.fields, columns, strict=True)})


def chunks(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    """Cuts a stream of rows into lists of like length."""
    rows = iter(rows)
    while chunk := list(itertools.islice(rows, _CHUNK)):
        yield chunk
