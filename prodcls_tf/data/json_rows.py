"""JSON lines: one object a line, its values as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prodcls_tf.data.columns import check_columns
from prodcls_tf.data.text_lines import text_lines
from prodcls_tf.errors import InputError

# So many records may lack a key before it is taken for a missing column.
LOOK_AHEAD = 1_000

_SURROGATE = re.compile("[\ud800-\udfff]")


def json_rows(
    path: Path, wanted: Sequence[str], label: str | None, encoding: str
) -> Iterator[tuple[int, list[str]]]:
    """Reads the wanted keys of a JSON lines file, record by record.

    Numbers stay as they are written, true and false become `true` and `false`, null and NaN
    become empty, and so does a key that a record leaves out. Half of a surrogate pair, as cut-off
    emoji leave it, becomes U+FFFD. Blank lines are skipped.

    Args:
      path: the file.
      wanted: the keys to read.
      label: the one of `wanted` that is the label, if any.
      encoding: name of a Python codec.

    Yields:
      The line of the record, counted from 1, and the wanted values.

    Raises:
      InputError: a line is no JSON object, a value is nested, or no record among the first
        LOOK_AHEAD has a wanted key.
    """
    seen: dict[str, None] = {}
    missing = set(wanted)
    waiting: list[tuple[int, list[str]]] = []
    for number, line in enumerate(text_lines(path, encoding), start=1):
        if not line.strip():
            continue
        record = _record(path, number, line)
        row = number, [_text(path, number, key, record.get(key)) for key in wanted]
        if not missing:
            yield row
            continue
        seen.update(dict.fromkeys(record))
        missing.difference_update(record)
        waiting.append(row)
        if not missing or len(waiting) >= LOOK_AHEAD:
            check_columns(list(seen), wanted, path, label)
            yield from waiting
            waiting = []
    if waiting:
        check_columns(list(seen), wanted, path, label)


def _record(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = _DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        what = getattr(error, "msg", str(error))
        raise _refused(path, number, f"{what}: {line.strip()[:60]!r}") from None
    if not isinstance(record, dict):
        raise _refused(path, number, f"a {_name(record)}: {line.strip()[:60]!r}")
    return record


def _refused(path: Path, number: int, received: str) -> InputError:
    return InputError(
        f"{path}:{number}: Each line must be one JSON object with the columns as keys. "
        f"Received {received}. Mend the line; an array, or objects that go over several lines, "
        "become one object a line with: "
        "jq -c 'if type == \"array\" then .[] else . end' FILE > NEW_FILE.jsonl"
    )


def _text(path: Path, number: int, key: str, value: Any) -> str:
    """One value as text."""
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    raise InputError(
        f"{path}:{number}: The value of {key!r} must be text, a number or null. Received a "
        f"{_name(value)}. Flatten it before, for instance with: jq -c '.{key} |= tostring'"
    )


def _name(value: Any) -> str:
    names = {dict: "JSON object", list: "JSON array", bool: "truth value"}
    return names.get(type(value), "single value")


def _constant(name: str) -> str | None:
    return None if name == "NaN" else name


# Numbers are kept as they are written: 007.50 is not 7.5 to a shop.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_constant)
