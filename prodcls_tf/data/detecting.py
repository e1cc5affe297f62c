"""Which encoding a text file is in, as far as its bytes tell; where they do not, it is asked for.

The order of the decision:

1. A byte-order mark says it: UTF-8, UTF-16 or UTF-32.
2. Text with zero bytes that makes sense as UTF-16 without a mark is that.
3. Bytes of ASCII alone fit everything; the first others decide. Valid UTF-8 is UTF-8, and so is
   text that has ten times as many valid sequences as broken ones: other encodings give hardly any
   by chance (F. Yergeau, RFC 3629, section 1).
4. GB18030, where the bytes are valid in it and seven in ten characters that are not ASCII are among
   the 3,755 frequent ones of GB 2312 (its level 1), full-width forms or punctuation: in Chinese
   texts nearly all are, in the other encodings of Chinese and Japanese, read so, under a half.
5. Windows-1252 (which has all of Latin-1), where at least half of what is not ASCII are single
   bytes between plain ones, as accented letters are.
6. Otherwise nothing is guessed: Cyrillic or Big5, for instance, have to be named.

Korean in EUC-KR cannot be told from GB18030 so, nor Turkish or Polish from Windows-1252: the report
of intake says what each file was taken for.
"""

from __future__ import annotations

import codecs
import functools
import re
from pathlib import Path

from prodcls_tf.data.files import open_bytes
from prodcls_tf.errors import InputError

AUTO = "auto"

_CHUNK = 1 << 17
# Bytes that are looked through for one that is not ASCII.
_SEARCHED = 64 << 20

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# So many valid characters for one broken byte.
_MANY = 10
# Share of characters that are ASCII in any text of products: delimiters, line ends, digits.
_PLAIN = 0.01

# Share of a Chinese text's characters that are frequent ones.
_USUAL = 0.7

_HIGH = re.compile(rb"[\x80-\xff]+")
_NOT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_NOT_ASCII = re.compile("[^\x00-\x7f]+")
_ESCAPED = re.compile("[\udc80-\udcff]")
_OTHERS = {
    b"\x1f\x8b": "It looks like gzip: give its name the ending .gz, or unpack it.",
    b"\x28\xb5\x2f\xfd": "It looks like Zstandard: give its name the ending .zst, or unpack it.",
    b"PK": "It looks like a workbook or a ZIP archive: export the table as CSV in UTF-8.",
}


def detect_encoding(path: Path) -> str:
    """Says in which encoding a file is written, from a quarter of a megabyte at most.

    Args:
      path: a text file; unpacked on the way where its name says that it is packed.

    Returns:
      Name of a Python codec.

    Raises:
      InputError: the file cannot be read, is no text, or its bytes do not tell.
    """
    with open_bytes(path) as stream:
        chunk = stream.read(_CHUNK)
        _refuse_other(path, chunk)
        for mark, encoding in _MARKS:
            if chunk.startswith(mark):
                return encoding
        if b"\0" in chunk and (wide := _utf_16(chunk)):
            return wide
        searched = 0
        while chunk.isascii() and chunk and searched < _SEARCHED:
            searched += len(chunk)
            chunk = stream.read(_CHUNK)
        sample = chunk + stream.read(_CHUNK)
    found = encoding_of(sample)
    if found is None:
        raise InputError(
            f"{path}: The file's encoding must be one that its bytes tell: UTF-8, UTF-16, GB18030 "
            "or Windows-1252. Received bytes that fit none of them well. Say which it is, such as "
            "--set data.encoding=big5, cp1251 (Cyrillic) or cp1250, or save it as UTF-8."
        )
    return found


def encoding_of(sample: bytes) -> str | None:
    """Decides between UTF-8, GB18030 and Windows-1252; None where none of them is likely.

    Args:
      sample: a part of a file that begins with a character; the last one may be cut off.
    """
    valid, broken = _signs(sample, "utf-8")
    if len(valid) >= _MANY * broken:
        return "utf-8"
    valid, broken = _signs(sample, "gb18030")
    usual = sum(map(_usual_chinese().__contains__, valid))
    if len(valid) >= _MANY * broken and usual >= _USUAL * len(valid):
        return "gb18030"
    runs = _HIGH.findall(sample)
    alone = sum(len(run) == 1 for run in runs)
    if 2 * alone >= len(runs) and not _NOT_CP1252.search(sample):
        return "cp1252"
    return None


def _signs(sample: bytes, encoding: str) -> tuple[str, int]:
    """The characters that are not ASCII, and the number of bytes that make none."""
    text = codecs.getincrementaldecoder(encoding)("surrogateescape").decode(sample)
    high = "".join(_NOT_ASCII.findall(text))
    valid = _ESCAPED.sub("", high)
    return valid, len(high) - len(valid)


@functools.cache
def _usual_chinese() -> frozenset[str]:
    rows = (0xA1, 0xA3, *range(0xB0, 0xD8))
    codes = (bytes((row, cell)) for row in rows for cell in range(0xA1, 0xFF))
    return frozenset(code.decode("gb2312", "ignore") for code in codes)


def _utf_16(chunk: bytes) -> str | None:
    """Which of the two orders makes text of bytes: line ends, some ASCII, and no NUL."""
    best, most = None, 0.0
    for encoding in ("utf-16-le", "utf-16-be"):
        text = codecs.getincrementaldecoder(encoding)("replace").decode(chunk)
        plain = sum(" " <= sign <= "~" or sign in "\r\n\t" for sign in text)
        whole = "\0" not in text and ("\n" in text or "\r" in text)
        if whole and plain > max(most, _PLAIN * len(text)):
            best, most = encoding, plain
    return best


def _refuse_other(path: Path, chunk: bytes) -> None:
    """Refuses what is no text but looks like a known kind of file."""
    for magic, remedy in _OTHERS.items():
        if chunk.startswith(magic):
            raise InputError(f"{path}: The file must be text. {remedy}")
