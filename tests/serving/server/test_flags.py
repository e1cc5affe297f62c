from __future__ import annotations

import pytest

from prodcls_tf.errors import SettingsError
from serving.server.flags import parse_flags

BASE = "--model_base_path=models"


def test_values_follow_an_equals_sign_or_a_space():
    given = parse_flags([BASE, "--port", "1", "--rest_api_port=2", "--drain_seconds=1.5"])
    assert (given.port, given.rest_api_port, given.drain_seconds) == (1, 2, 1.5)
    assert given.model_base_path == "models"


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--enable_batching", True),
        ("--enable_batching=true", True),
        ("--enable-batching=1", True),
        ("--enable_batching=false", False),
    ],
)
def test_booleans_are_written_as_for_tf_serving(flag, value):
    assert parse_flags([BASE, flag]).enable_batching is value


@pytest.mark.parametrize(
    "arguments", [["--prot=1"], ["--port=x"], ["--enable_batching=x"], ["folder"]]
)
def test_what_is_no_flag_ends_with_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_flags([BASE, *arguments])
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_contradiction_is_named():
    with pytest.raises(SettingsError, match="server needs a model"):
        parse_flags([])
