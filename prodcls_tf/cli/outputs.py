"""What can be wrong with an output file, said before the work wherever that can be known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from prodcls_tf.errors import OutputError


def check_output(output: Path, endings: Sequence[str], inputs: Sequence[Path]) -> None:
    """Refuses an output that could not be written after all, or that would destroy an input.

    Args:
      output: the file to be written.
      endings: those it may have, in lower case.
      inputs: the files that are read meanwhile, as `find_files` returns them.

    Raises:
      OutputError: it has another ending, is a folder or in a missing one, or is an input.
    """
    if output.suffix.lower() not in endings:
        raise OutputError(
            f"An output file must end in one of {', '.join(endings)}. Received {output}. "
            f"Name it, for instance, output{endings[0]}."
        )
    if not output.absolute().parent.is_dir():
        raise OutputError(
            f"The output's folder must exist. Received {output}. Make it with: "
            f"mkdir -p {output.parent}"
        )
    if output.is_dir():
        raise OutputError(
            f"The output must be a file. Received {output}, which is a folder. Name a file, for "
            f"instance {output / f'output{endings[0]}'}."
        )
    if output.exists() and any(path.samefile(output) for path in inputs):
        raise OutputError(
            f"The output must not be an input. Received {output} as both. Name another file."
        )


@contextlib.contextmanager
def refusing_unwritable(output: Path) -> Iterator[None]:
    """Turns what goes wrong while a file is written into an `OutputError` that names it."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"The output file must be one that can be written. Received {output}: "
            f"{error.strerror or error}. Check the folder, its permissions and the free space."
        ) from None
