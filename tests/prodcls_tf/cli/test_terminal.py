from __future__ import annotations

import sys

import pytest

from prodcls_tf.cli import terminal


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("/no/where/.venv/bin/prodcls", "/no/where/.venv/bin/prodcls"),
        ("/no where/prodcls", "'/no where/prodcls'"),
        ("/no/where/prodcls_tf/cli/__main__.py", "python -m prodcls_tf.cli"),
    ],
)
def test_commands_to_type_next_begin_as_this_one_did(monkeypatch, called, told):
    monkeypatch.setenv("PATH", "/no/where/at/all")
    monkeypatch.setattr(sys, "argv", [called])
    assert terminal.program() == told
