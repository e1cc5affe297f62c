"""A model's folder, its versions, and the questions whose answers are known."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from prodcls_tf.export.warmup import write_warmup_requests
from serving.client import Tls
from serving.server.repository import WARMUP_FILE
from tests.serving.server.embedded import NAME
from tests.serving.server.test_registry_with_models import push
from tests.serving.tiny_model import CATEGORIES, WORDS, save_tiny_model
from tests.soak.load import MOST_ROWS, Orders
from tests.soak.load_process import Load
from tests.soak.served import Served
from tests.soak.trial import Trial

# Beside the clients there are those of a row, who must not be refused for want of a thread.
SPARE_THREADS = 160

_REAL_TITLES = [
    f"{kind} {detail}"
    for kind in ("wireless headphones", "frying pan", "cat food", "running shoes", "usb cable")
    for detail in ("", "2 m black", "set of three", "size 42", "with a lid, 28 cm", "premium XL")
]


def tiny_version(folder: Path) -> Path:
    """Saves the tiny model as an export leaves it, but for its manifest, and returns its folder."""
    save_tiny_model(folder)
    write_warmup_requests(folder / WARMUP_FILE, NAME, ["title", "description"], MOST_ROWS)
    return folder


class Shop:
    """A model's folder with version 1 in it.

    Args:
      trial: that it is made for.
      real: whether its versions are copies of the real one, where there is one.

    Attributes:
      base: the folder.
      whole: whether an answer has all categories, so that the scores of a row sum to 1.
    """

    def __init__(self, trial: Trial, *, real: bool = False) -> None:
        settings = trial.settings
        self._trial, self._clients = trial, settings.clients
        self._real = real and settings.model is not None
        self.whole = not self._real
        self._version = settings.model if real and settings.model else settings.tiny
        self.base = trial.folder / NAME
        self.push(1)

    def push(
        self,
        number: int,
        damage: Optional[Callable[[Path], None]] = None,
        *,
        manifest: bool = True,
        base: Optional[Path] = None,
    ) -> None:
        """Pushes a version at one stroke, which may be damaged or lack its manifest."""

        def changed(folder: Path) -> None:
            if not manifest:
                (folder / "assets.extra" / "manifest.json").unlink(missing_ok=True)
            if damage is not None:
                damage(folder)

        push(base or self.base, self._version, number, changed, manifest=manifest)

    def drop(self, number: int) -> None:
        """Deletes a version, if it is there."""
        shutil.rmtree(self.base / str(number), ignore_errors=True)

    def served(self, *flags: str, port: int = 0, tls: Optional[Tls] = None) -> Served:
        """Returns a server of this folder, or of the configuration file that `flags` name."""
        self._trial.say("starts a server")
        here: tuple[str, ...] = (f"--model_name={NAME}", f"--model_base_path={self.base}")
        if any(flag.startswith("--model_config_file=") for flag in flags):
            here = ()
        threads = f"--grpc_max_threads={self._clients + SPARE_THREADS}"
        return Served(*here, threads, *flags, port=port, tls=tls)

    def load(self, server: Served, **orders: Any) -> Load:
        """Returns the load for a server; `orders` differ from the usual ones."""
        given = {
            "target": server.target,
            "clients": self._clients,
            "questions": self._questions(server),
            "whole": self.whole,
            **orders,
        }
        return Load(Orders(**given), self._trial.say)

    def configuration(self, *models: str) -> Path:
        """Writes a file of models, at one stroke, and returns its path."""
        path = self._trial.folder / "models.config"
        draft = path.with_suffix(".new")
        draft.write_text(f"model_config_list {{ {' '.join(models)} }}", encoding="utf-8")
        return draft.replace(path)

    def model(self, rest: str = "", name: str = NAME) -> str:
        """Returns an entry for such a file."""
        return (
            f'config {{ name: "{name}" base_path: "{self.base}" model_platform: "tensorflow" '
            f"{rest} }}"
        )

    def batching(self, **parameters: int) -> list[str]:
        """Writes a batching file and returns the flags that name it."""
        path = self._trial.folder / "batching.config"
        lines = [f"{name} {{ value: {value} }}" for name, value in parameters.items()]
        path.write_text("\n".join(lines), encoding="utf-8")
        return ["--enable_batching", f"--batching_parameters_file={path}"]

    def _questions(self, server: Served) -> list[tuple[str, str]]:
        if self._real:
            # What it says alone, it must say under load.
            answers = server.client.classify(_REAL_TITLES, timeout=120)
            return [(t, a.category) for t, a in zip(_REAL_TITLES, answers, strict=True)]
        return [
            (form.format(word, number), category)
            for word, category in zip(WORDS, CATEGORIES, strict=True)
            for form in ("{} {}", "the {} no. {}", "{} " + "of the best sort " * 8 + "{}")
            for number in range(20)
        ] + [(word.upper(), category) for word, category in zip(WORDS, CATEGORIES, strict=True)]
