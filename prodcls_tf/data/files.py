"""Which product files there are: names, kinds, folders, patterns and their fingerprint."""

from __future__ import annotations

import contextlib
import glob
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional, cast

from prodcls_tf.errors import InputError

_KINDS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
}

_PACKED = (".gz", ".zst")

SUPPORTED = (
    ".csv, .tsv, .jsonl, .ndjson, .json (one object a line), all also with .gz or .zst; .parquet"
)


class Stretch(NamedTuple):
    """A part of a file that can be read by itself.

    Attributes:
      start: its first byte, in Parquet its first row group.
      stop: what follows its last one; None for all that is left.
      line: number of its first line, in Parquet of its first row; from 1.
    """

    start: int
    stop: Optional[int]
    line: int


def kind_of(path: Path) -> str | None:
    """Returns `csv`, `tsv`, `json` or `parquet` by a file's ending, None for any other."""
    name = Path(path.name.lower())
    kind = _KINDS.get(Path(name.stem).suffix if is_packed(path) else name.suffix)
    return None if is_packed(path) and kind == "parquet" else kind


def is_packed(path: Path) -> bool:
    """Whether a file is compressed, by its ending."""
    return path.name.lower().endswith(_PACKED)


def find_files(paths: Iterable[str | Path]) -> list[Path]:
    """Finds the product files that paths, folders and patterns stand for.

    Args:
      paths: files, folders (every supported file below, sorted by path, hidden ones and other
        endings skipped) and glob patterns (`**` goes through folders), which stand for the files
        that they match, and for those in folders that they match.

    Returns:
      The files in the order given, each once.

    Raises:
      InputError: a path does not exist, a pattern matches nothing, a folder holds no supported
        file, or a file has an unsupported ending.

    Example:
      >>> find_files(["shop.csv", "exports/2024-*"])  # doctest: +SKIP
      [PosixPath('shop.csv'), PosixPath('exports/2024-01.jsonl')]
    """
    found: dict[Path, Path] = {}
    for given in paths:
        for file in _expand(Path(given).expanduser()):
            found.setdefault(file.resolve(), file)
    if not found:
        raise InputError(
            "At least one product file must be named. Received none. "
            f"Name files, folders or patterns; supported are {SUPPORTED}."
        )
    return list(found.values())


def other_files(paths: Iterable[str | Path]) -> list[Path]:
    """Finds what `find_files` passes over in folders: files with other endings.

    Args:
      paths: as for `find_files`.

    Returns:
      The files, each once, hidden ones left out.

    Example:
      >>> other_files(["exports"])  # doctest: +SKIP
      [PosixPath('exports/notes.txt'), PosixPath('exports/shop.xlsx')]
    """
    matches = [match for given in paths for match in _matches(Path(given).expanduser())]
    folders = [match for match in matches if match.is_dir()]
    files = (file for folder in folders for file in files_below(folder) if kind_of(file) is None)
    return list(dict.fromkeys(files))


def files_below(folder: Path) -> list[Path]:
    """Finds all files below a folder but hidden ones, sorted by path.

    Raises:
      InputError: the folder cannot be read.
    """
    with refusing_unreadable(folder):
        return sorted(
            path
            for path in folder.rglob("*")
            if path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        )


def fingerprint(files: Iterable[Path]) -> str:
    """Digests the names, sizes and contents of files, so that a run can tell a change.

    Args:
      files: product files; their folders do not count, their order does.

    Returns:
      64 hexadecimal digits, the same for the same files anywhere.

    Raises:
      InputError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        content, size = hashlib.sha256(), 0
        with refusing_unreadable(path), path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                content.update(chunk)
                size += len(chunk)
        digest.update(f"{path.name}\0{size}\0{content.hexdigest()}\n".encode())
    return digest.hexdigest()


def stamp(path: Path) -> tuple[int, int]:
    """Returns size in bytes and time of change in ns: cheap signs that a file is the same."""
    with refusing_unreadable(path):
        status = path.stat()
    return status.st_size, status.st_mtime_ns


@contextlib.contextmanager
def open_bytes(path: Path, stretch: Stretch | None = None) -> Iterator[BinaryIO]:
    """Opens a file for reading bytes, unpacked where its name ends in `.gz` or `.zst`.

    Args:
      path: the file.
      stretch: what to read of it, None for all; one that ends before the file does is read at once.
    """
    with refusing_unreadable(path):
        if path.name.lower().endswith(".gz"):
            with gzip.open(path, "rb") as unzipped:
                yield cast(BinaryIO, unzipped)
        elif path.name.lower().endswith(".zst"):
            import pyarrow

            with path.open("rb") as packed:
                yield cast(BinaryIO, pyarrow.CompressedInputStream(packed, "zstd"))
        else:
            with path.open("rb") as stream:
                start, stop, _ = stretch or (0, None, 1)
                stream.seek(start)
                yield stream if stop is None else io.BytesIO(stream.read(stop - start))


@contextlib.contextmanager
def refusing_unreadable(path: Path) -> Iterator[None]:
    """Turns what goes wrong while a file is read into an `InputError` that names the file."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: A file that ends in .gz must be whole gzip data. Received: {error}. "
            "Copy the file again, or rename it if it is not compressed."
        ) from None
    except OSError as error:
        if error.errno is None and is_packed(path):
            # pyarrow's word for a file that Zstandard cannot read.
            raise InputError(
                f"{path}: A file that ends in .zst must be whole Zstandard data. Received: "
                f"{error}. Copy the file again, or rename it if it is not compressed."
            ) from None
        raise InputError(
            f"{path}: A product file must be readable. Received: {error.strerror or error}. "
            "Check the path and its permissions."
        ) from None


def _expand(path: Path) -> list[Path]:
    """The files that one argument stands for."""
    matches = _matches(path)
    if not matches and glob.has_magic(str(path)):
        raise InputError(
            f"A pattern must match at least one file. Received: {path}, which matches none. "
            "Check the folder, and put the pattern between quotes in a shell."
        )
    if not matches:
        raise InputError(
            f"A product file must exist. Received: {path}, which does not. Check the path."
        )
    files = [
        file
        for match in matches
        for file in (_below(match) if match.is_dir() else [_supported(match)])
    ]
    if not files:
        raise InputError(
            f"A folder must hold at least one product file ({SUPPORTED}). "
            f"Received: {path}, which holds none. Check the folder and the endings in it."
        )
    return files


def _matches(path: Path) -> list[Path]:
    """The files and folders that one argument stands for; a name with a bracket may be one."""
    if path.exists():
        return [path]
    return [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207


def _supported(path: Path) -> Path:
    if kind_of(path) is None or not path.is_file():
        what = "its ending is not supported" if path.is_file() else "it is not a regular file"
        raise InputError(
            f"A product file must be one of {SUPPORTED}. Received: {path}: {what}. "
            "Export the table as CSV in UTF-8, for instance."
        )
    return path


def _below(folder: Path) -> list[Path]:
    return [path for path in files_below(folder) if kind_of(path) is not None]
