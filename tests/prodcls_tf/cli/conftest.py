"""The command line in this process, a model to ask, and files to ask it about."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from prodcls_tf.cli import main, quiet, terminal
from tests.serving.tiny_model import save_tiny_model


class Called(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def call(monkeypatch, capsys) -> Callable[..., Called]:
    """Calls a command in this process, where TensorFlow is loaded once for all."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(terminal, "_out", None)
    monkeypatch.setattr(terminal, "_err", None)
    # The file descriptors that it would turn away for good are those of the tests, too.
    monkeypatch.setattr(quiet, "send_noise_away", lambda: None)

    def run(*arguments: object) -> Called:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Called(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """The output folder of a run that pushed a tiny model."""
    out = tmp_path_factory.mktemp("runs") / "mine"
    save_tiny_model(out / "serving" / "prodcls" / "1700000000")
    return out


@pytest.fixture
def products(tmp_path):
    """A product file with more columns than the model knows."""
    file = tmp_path / "products.csv"
    file.write_text(
        "sku,title,description,price\r\n"
        "007,Frying pan,28cm,19.90\r\n"
        '008,"Headphones, over-ear 3""",,49.00\r\n'
        "009,猫 treats,,\r\n",
        encoding="utf-8",
        newline="",
    )
    return file
