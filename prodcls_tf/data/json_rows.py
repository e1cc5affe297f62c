"""JSON lines: one object a line, its values as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prodcls_tf.data.columns import check_columns
from prodcls_tf.data.files import Stretch
from prodcls_tf.data.notes import FileNotes, RowError
from prodcls_tf.data.text_lines import bad_bytes, bad_row, text_lines

# So many records may lack a key before it is taken for a missing column.
LOOK_AHEAD = 1_000

_SURROGATE = re.compile("[\ud800-\udfff]")


def json_rows(
    path: Path,
    wanted: Mapping[str, str],
    encoding: str,
    notes: FileNotes | None = None,
    stretch: Stretch | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """Reads the wanted keys of a JSON lines file, record by record.

    Numbers stay as they are written, true and false become `true` and `false`, null and NaN
    become empty, and so does a key that a record leaves out. Half of a surrogate pair, as cut-off
    emoji leave it, becomes U+FFFD. Blank lines are skipped.

    Args:
      path: the file.
      wanted: the keys to read, with the option that names each one.
      encoding: name of a Python codec, or `auto`.
      notes: told of the encoding, of replaced halves, and of the lines that are passed over.
      stretch: what to read of the file, None for all. Whether it has the wanted keys at all is only
        asked where all is read.

    Yields:
      The line of the record, counted from 1, and the wanted values.

    Raises:
      InputError: no record among the first LOOK_AHEAD has a wanted key; or, where the notes are
        not tolerant, a line is no JSON object, or a value is nested.
    """
    notes = notes or FileNotes()
    seen: dict[str, None] = {}
    missing = set() if stretch else set(wanted)
    waiting: list[tuple[int, list[str]]] = []
    first = stretch.line if stretch else 1
    for number, line in enumerate(text_lines(path, encoding, notes, stretch), start=first):
        if not line.strip():
            continue
        try:
            if bad_bytes([line]):
                raise bad_row(path, number, [line], notes.encoding)
            record = _record(path, number, line)
            values = [_text(path, number, key, record) for key in wanted]
        except RowError as error:
            notes.refuse(error)
            continue
        if not all(map(str.isascii, values)):
            whole = [_SURROGATE.sub("\ufffd", value) for value in values]
            if whole != values:
                notes.replaced.count(f"{path}:{number}")
                values = whole
        row = number, values
        if not missing:
            yield row
            continue
        seen.update(dict.fromkeys(record))
        missing.difference_update(record)
        waiting.append(row)
        if not missing or len(waiting) >= LOOK_AHEAD:
            check_columns(list(seen), wanted, path)
            yield from waiting
            waiting = []
    if waiting:
        check_columns(list(seen), wanted, path)


def _record(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = _DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        what = getattr(error, "msg", str(error))
        raise _refused(path, number, line, what) from None
    if not isinstance(record, dict):
        raise _refused(path, number, line, f"a {_name(record)}")
    return record


def _refused(path: Path, number: int, line: str, received: str) -> RowError:
    return RowError(
        path,
        number,
        f"no JSON object: {received}",
        line,
        "Each line must be one JSON object with the columns as keys. "
        f"Received {received}: {line.strip()[:60]!r}. Mend the line; an array, or objects that go "
        "over several lines, become one object a line with: "
        "jq -c 'if type == \"array\" then .[] else . end' FILE > NEW_FILE.jsonl",
    )


def _text(path: Path, number: int, key: str, record: dict[str, Any]) -> str:
    """One value as text."""
    value = record.get(key)
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    raise RowError(
        path,
        number,
        f"{key!r} is a {_name(value)}, not text",
        json.dumps(value, ensure_ascii=False),
        f"The value of {key!r} must be text, a number or null. Received a "
        f"{_name(value)}. Flatten it before, for instance with: jq -c '.{key} |= tostring'",
    )


def _name(value: Any) -> str:
    names = {dict: "JSON object", list: "JSON array", bool: "truth value"}
    return names.get(type(value), "single value")


def _constant(name: str) -> str | None:
    return None if name == "NaN" else name


# Numbers are kept as they are written: 007.50 is not 7.5 to a shop.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_constant)
