"""Product files in parts, each of which a worker reads by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from prodcls_tf.data.cutting import stretches
from prodcls_tf.data.files import Stretch, stamp
from prodcls_tf.data.notes import FileNotes
from prodcls_tf.data.reading import Row, read_file
from prodcls_tf.errors import InputError
from prodcls_tf.features import SPLITS
from prodcls_tf.settings import DataSettings


@dataclass(frozen=True)
class Part:
    """A part of a product file; plain values, which another process can be given.

    Attributes:
      number: its place among all parts, from 0: the order of the files and of their rows.
      path: the file.
      source: the split that the file was given for, as in `features.SPLITS`.
      stamp: size and time of change of the file.
      encoding: of the file, '' where it has none.
      delimiter: between its cells, '' where there is none.
      marked: whether it begins with a byte-order mark.
      stretch: where the part lies in the file, None where it is all of it.
    """

    number: int
    path: Path
    source: int
    stamp: tuple[int, int]
    encoding: str
    delimiter: str
    marked: bool
    stretch: Optional[Stretch]

    def rows(self, settings: DataSettings, notes: FileNotes) -> Iterator[Row]:
        """Streams the rows of the part; otherwise as `read_file`.

        Raises:
          InputError: the file cannot be read as it is, or is not what it was when it was cut.
        """
        own = settings.model_copy(
            update={
                "encoding": self.encoding or settings.encoding,
                "delimiter": self.delimiter or settings.delimiter,
            }
        )
        self.check()
        try:
            yield from read_file(self.path, own, notes=notes, stretch=self.stretch)
        except InputError:
            # That a file has changed explains whatever is wrong with it.
            self.check()
            raise
        self.check()

    def check(self) -> None:
        """Refuses a file that is no longer what it was.

        Raises:
          InputError: it has changed, or is gone.
        """
        if stamp(self.path) != self.stamp:
            raise changed(self.path)


def plan(sources: Mapping[str, Sequence[Path]], settings: DataSettings) -> list[Part]:
    """Cuts product files into parts.

    Args:
      sources: as for `intake.survey`.
      settings: how files are written, and which columns are read.

    Returns:
      The parts in the order of the files; a small file is one.

    Raises:
      InputError: the sources make no sense, or a file cannot be opened or lacks a column.
    """
    _check_sources(sources)
    parts: list[Part] = []
    stamps: dict[Path, tuple[int, int]] = {}
    for name, files in sources.items():
        source = SPLITS.index("train" if name == "all" else name)
        for path in files:
            now = stamp(path)
            if stamps.setdefault(path, now) != now:
                raise changed(path)
            notes = FileNotes(on_reject=lambda _: None)
            for stretch in stretches(path, settings, notes):
                how = notes.encoding, notes.delimiter, notes.marked
                parts.append(Part(len(parts), path, source, now, *how, stretch))
    return parts


def _check_sources(sources: Mapping[str, Sequence[Path]]) -> None:
    names = set(sources)
    if names != {"all"} and not ("train" in names and names <= set(SPLITS)):
        raise InputError(
            "Product files are either split here (`all`) or come as ready splits: `train`, with "
            f"or without `val` and `test`. Received: {', '.join(sorted(names)) or 'none'}. "
            "Name the training files too."
        )


def changed(path: Path) -> InputError:
    """The error for a file that is no longer what it was."""
    return InputError(
        f"{path}: A product file must stay the same during a run. Received other contents than "
        "when it was first read. Run again when the file is complete."
    )
