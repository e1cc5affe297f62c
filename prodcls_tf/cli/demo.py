"""`prodcls demo`: the whole pipeline on the sample that the project ships."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import typer
from rich.text import Text

from prodcls_tf.cli import options, terminal

_COLUMNS = ["title", "description"]

# Written for this place; none of them is a row of the sample.
TITLES = (
    "shockproof cover 6.7in phone, clear",
    "Hammer drill 18V w/ 2x 4Ah + case",
    "waterproof hiking boots women UK 6",
    'Curved gaming screen 34" 165Hz',
    "GRAIN FREE SALMON KIBBLE CATS 3KG",
)


def demo(
    out: options.Out = Path("runs/demo"),
    config: options.Config = None,
    set_: options.Set = None,
    debug: options.Debug = False,
) -> None:
    """Train on the sample, push, and ask the pushed model: 5 minutes on two cores at most."""
    from prodcls_tf.cli.run import execute, serving_steps

    settings = options.load_settings(config, set_, _COLUMNS, "category")
    sample = Path(str(files("prodcls_tf"))) / "sample" / "products.csv"
    summary = execute(settings, {"all": [sample]}, out)
    if not summary.pushed or summary.model is None:
        raise typer.Exit(1)
    _ask(Path(summary.model))
    prodcls = terminal.program()
    columns = "--text title --text description --label category"
    terminal.next_steps(
        [
            *serving_steps(settings, out),
            ("ask it", f"{prodcls} classify --model {out} 'a title of your own'"),
            ("your own products", f"{prodcls} run FILE {columns} --out runs/mine"),
        ]
    )


def _ask(model_folder: Path) -> None:
    """Asks the pushed SavedModel and prints what it says."""
    from serving.saved_model import LocalModel

    model = LocalModel(model_folder)
    texts = {field: [""] * len(TITLES) for field in model.fields}
    texts[model.fields[0]] = list(TITLES)
    terminal.heading("Asked of the pushed model")
    table = terminal.table("title", "category", "score", left=2)
    for title, answer in zip(TITLES, model.ask(texts), strict=True):
        category, score = answer[0]
        table.add_row(Text(title), category, f"{score:.2f}")
    terminal.show(table)
