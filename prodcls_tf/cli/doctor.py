"""`prodcls doctor`: what is installed and found here, what is wrong, and how to mend it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from prodcls_tf.cli import options, terminal


def doctor(
    hub: Annotated[
        bool, typer.Option("--hub", help="Ask whether the Hugging Face hub can be reached, too.")
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Check versions, weights, memory and devices; exit code 1 if something is wrong."""
    from prodcls_tf.cli import checks

    found: list[checks.Check] = []
    width = 22
    for check in checks.all_checks(hub=hub):
        with terminal.busy(check.__name__.replace("_", " ")):
            results = list(check())
        for result in results:
            mark = ("✗ ", "bad") if result.problem else ("✓ ", "good")
            name = f"{result.name:<{width}}"
            terminal.out().print(Text.assemble("  ", mark, name, (result.value, "soft")))
        found += results
    faults = [result for result in found if result.problem]
    if not faults:
        terminal.out().print("\n  Nothing is wrong.")
        return
    terminal.heading(f"{len(faults)} to mend" if len(faults) > 1 else "To mend")
    for fault in faults:
        terminal.out().print(
            Text.assemble(("  ✗ ", "bad"), f"{fault.name}: {fault.problem}"), soft_wrap=True
        )
        terminal.out().print(Text(f"    {fault.remedy}"), soft_wrap=True)
    raise typer.Exit(1)
