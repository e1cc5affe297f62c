"""Rows and files that the tests of the intake share."""

from __future__ import annotations

from pathlib import Path

from prodcls_tf.data.folding import fold_row
from prodcls_tf.data.near import near_key
from prodcls_tf.data.splitting import split_of
from prodcls_tf.settings import DataSettings

SETTINGS = DataSettings()
PLENTY = [(f"{kind} number {i}", kind) for kind in ("radio", "lamp", "chair") for i in range(60)]


def own_split(text):
    """The split that a text's key puts it into."""
    return split_of(near_key(fold_row([text])), 0.1, 0.1)


def text_in(split, prefix="thing", skip=0):
    """A text that the hash puts into a split."""
    found = (t for i in range(10_000) if own_split(t := f"{prefix} {i}") == split)
    for _ in range(skip):
        next(found)
    return next(found)


def save(path: Path, rows) -> Path:
    """Writes titles and categories as CSV."""
    lines = ["title,category", *(f'"{title}","{category}"' for title, category in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
