"""Physical lines of a text file, or an error that says which byte of which line is wrong."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from prodcls_tf.data.detecting import AUTO, detect_encoding
from prodcls_tf.data.files import Stretch, is_packed, open_bytes
from prodcls_tf.data.notes import FileNotes, RowError
from prodcls_tf.errors import InputError, SettingsError

# A line beyond this is no record of a product: most likely a binary file under a wrong name.
MAX_LINE_CHARACTERS = 1 << 24

_CHUNK = 1 << 16

# Stands for a byte that is no text: no decoder gives such characters of its own.
_MARKED = re.compile("[\udc00-\udcff]+")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in wrong), error.end


# Their codecs take off a byte-order mark, which has to be there.
_ALWAYS_MARKED = ("utf-16", "utf-32")
# Its codec does so too, and does not tell whether there was one; this one leaves it in.
_TELLING = {"utf-8-sig": "utf-8"}

# How bytes that are no text are read where they are to be found again.
MARK = "prodcls.mark"
codecs.register_error(MARK, _mark)


def text_lines(
    path: Path,
    encoding: str = "utf-8",
    notes: FileNotes | None = None,
    stretch: Stretch | None = None,
) -> Iterator[str]:
    r"""Yields the lines of a text file one by one, each with its line end.

    Args:
      path: the file; unpacked on the way where its name says that it is packed.
      encoding: name of a Python codec, or `auto` to have it found out. A byte-order mark is taken
        off in any case.
      notes: get the encoding, and whether there was a mark. Where they are tolerant, bytes that are
        no text are yielded as characters that `bad_bytes` finds.
      stretch: what to read of the file, whole lines; None for all.

    Yields:
      One str a physical line; `\n`, `\r\n` and `\r` end a line.

    Raises:
      InputError: the file cannot be read, or a line is longer than MAX_LINE_CHARACTERS; where the
        notes are not tolerant, also if a byte does not fit the encoding (named with line and
        offset) or a line holds a NUL character.
      SettingsError: there is no such encoding.
    """
    notes = notes or FileNotes()
    check_encoding(encoding)
    encoding = notes.encoding = detect_encoding(path) if encoding == AUTO else encoding
    codec = codecs.lookup(encoding).name
    number = stretch.line - 1 if stretch else 0
    with (
        open_bytes(path, stretch) as raw,
        io.TextIOWrapper(raw, _TELLING.get(codec, encoding), errors=MARK, newline="") as stream,
    ):
        try:
            while line := stream.readline(MAX_LINE_CHARACTERS + 1):
                number += 1
                if number == 1:
                    notes.marked = line[0] == "\ufeff" or codec in _ALWAYS_MARKED
                    line = line.removeprefix("\ufeff")
                if len(line) > MAX_LINE_CHARACTERS:
                    raise _too_long(path, number)
                if "\0" in line or bad_bytes([line]):
                    if not notes.tolerant:
                        raise not_text(path, number, line, encoding)
                    line = line.replace("\0", "\udc00")
                yield line
        except UnicodeError:
            failed = True
        else:
            failed = False
    if failed:
        raise _undecodable(path, encoding)


def bad_bytes(lines: Sequence[str]) -> str:
    r"""Returns the first bytes of tolerantly read lines that are no text, such as `e9`, or ''."""
    for line in lines:
        if not line.isascii() and (match := _MARKED.search(line)):
            return " ".join(f"{ord(sign) & 0xFF:02x}" for sign in match[0][:4])
    return ""


def bad_row(path: Path, line: int, record: Sequence[str], encoding: str) -> RowError:
    """The error for a record in which `bad_bytes` found some."""
    wrong = bad_bytes(record)
    return RowError(
        path,
        line,
        f"bytes that are no {encoding} text: {wrong}",
        "".join(record),
        f"A row must be valid {encoding}. Received the bytes {wrong}. Name the file's encoding "
        "with --set data.encoding=..., or save it again as UTF-8.",
    )


def check_encoding(encoding: str) -> None:
    """Refuses a name that is not `auto` and that no text codec bears.

    Raises:
      SettingsError: there is no such encoding.
    """
    if encoding == AUTO:
        return
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        codecs.lookup(encoding)
    except LookupError:
        raise SettingsError(
            f"data.encoding must name a text encoding. Received: {encoding!r}. "
            "Use auto, utf-8, gb18030, cp1252 or utf-16, for instance."
        ) from None


def not_text(path: Path, number: int, line: str, encoding: str) -> InputError:
    """The error that stops at a line with bytes that are no text.

    Args:
      path: the file.
      number: of the line.
      line: its text, as read tolerantly or not.
      encoding: of the file.
    """
    line = line.replace("\udc00", "\0")
    nuls = line.count("\0")
    if not nuls or bad_bytes([line]):
        return _undecodable(path, encoding)
    remedy = (
        "It looks like UTF-16: use --set data.encoding=utf-16-le, or save it again as UTF-8."
        if nuls > len(line) // 4
        else "Remove it, for instance with: tr -d '\\000' < FILE > NEW_FILE"
    )
    return InputError(
        f"{path}:{number}: A text file must not hold NUL characters. Received {nuls} in this "
        f"line, the first at character {line.index(chr(0)) + 1}. {remedy}"
    )


def _too_long(path: Path, number: int) -> InputError:
    return InputError(
        f"{path}:{number}: A line may have at most {MAX_LINE_CHARACTERS} characters. "
        "Received a longer one. Check that the file is text, with one record a line."
    )


def _undecodable(path: Path, encoding: str) -> InputError:
    """Reads the file once more to say where decoding fails, and what may be meant."""
    decoder = codecs.getincrementaldecoder(encoding)()
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    line, fed, head = 1, 0, b""
    with open_bytes(path) as stream:
        while True:
            chunk = stream.read(_CHUNK)
            head = head or chunk[:4]
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                good = bytes(error.object[: error.start])
                line += newlines.decode(_readable(good, encoding), final=True).count("\n")
                rest = bytes(error.object[error.start :])
                offset = fed - pending + error.start
                break
            except UnicodeError:
                # The UTF-16 and UTF-32 codecs say no place when a byte-order mark is missing.
                rest, offset = chunk, fed
                break
            line += newlines.decode(text).count("\n")
            fed += len(chunk)
            if not chunk:
                return InputError(
                    f"{path}: A file must not change while it is read. Received a byte that is "
                    f"not valid {encoding}, then none. Run again when the file is complete."
                )
    shown = " ".join(f"{byte:02x}" for byte in rest[:4])
    inside = " (after unpacking)" if is_packed(path) else ""
    return InputError(
        f"{path}:{line}: The file must be valid {encoding}. Received the bytes {shown} at byte "
        f"offset {offset}{inside}. {_encoding_remedy(head, rest, encoding)}"
    )


def _readable(good: bytes, encoding: str) -> str:
    return good.decode(encoding, errors="replace")


def _encoding_remedy(head: bytes, rest: bytes, encoding: str) -> str:
    if head.startswith(b"\x1f\x8b"):
        return "It looks like gzip: give its name the ending .gz, or unpack it."
    if head.startswith(b"PK"):
        return "It looks like a workbook or a ZIP archive: export the table as CSV in UTF-8."
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "It looks like UTF-16: use --set data.encoding=utf-16, or save it again as UTF-8."
    if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
        return "Name the file's own encoding with --set data.encoding=; most files are utf-8."
    first = "cp1252 (Western European)"
    other = "gb18030 (Chinese)"
    try:
        start = rest[:4].decode("gb18030", errors="ignore")
        if len(start) >= 2 and all("\u4e00" <= sign <= "\u9fff" for sign in start[:2]):
            first, other = other, first
    except UnicodeError:
        pass
    return (
        f"Say the file's encoding, such as --set data.encoding={first} or {other}, "
        "or save it again as UTF-8."
    )
