"""Rows and files that the tests of the intake share."""

from __future__ import annotations

from pathlib import Path

from prodcls_tf.settings import DataSettings

SETTINGS = DataSettings()
PLENTY = [(f"{kind} number {i}", kind) for kind in ("radio", "lamp", "chair") for i in range(60)]


def save(path: Path, rows) -> Path:
    """Writes titles and categories as CSV."""
    lines = ["title,category", *(f'"{title}","{category}"' for title, category in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
