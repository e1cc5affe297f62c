"""Exported models that need no TensorFlow, and versions of them."""

from __future__ import annotations

import json
from pathlib import Path

from prodcls_tf.manifest import check_manifest, write_manifest
from prodcls_tf.release.versions import HIGHEST


def export(folder: Path, content: str = "good", size: int = 2000) -> Path:
    """Writes what looks like a SavedModel, with its manifest last."""
    (folder / "variables").mkdir(parents=True)
    (folder / "assets.extra").mkdir()
    (folder / "saved_model.pb").write_text(f"graph {content}", encoding="utf-8")
    (folder / "variables" / "variables.index").write_text("index", encoding="utf-8")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"w" * size)
    figures = {"test": {"accuracy": 0.875, "macro_f1": 0.8}}
    (folder / "assets.extra" / "metrics.json").write_text(json.dumps(figures), encoding="utf-8")
    write_manifest(folder)
    return folder


def versions(base: Path) -> list[int]:
    """All versions that a server would see."""
    return sorted(int(entry.name) for entry in base.iterdir() if entry.name.isdigit())


def check_all(base: Path) -> None:
    """Asserts that each version that a server would see is complete and undamaged."""
    assert all(check_manifest(base / str(number)) for number in versions(base))


def leftovers(base: Path) -> list[str]:
    """What lies beside the versions that should not."""
    names = [entry.name for entry in base.iterdir() if entry.name != HIGHEST]
    return [name for name in names if not name.isdigit()]
