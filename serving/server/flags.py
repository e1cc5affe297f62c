"""Command line flags into options: the names and forms of TF Serving's flags."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Sequence
from typing import Any

from serving.server.config import ServerOptions


def parse_flags(arguments: Sequence[str]) -> ServerOptions:
    """Reads flags.

    Args:
      arguments: such as `--port=8500`, `--port 8500`, `--enable_batching` or
        `--enable_batching=true`; dashes may stand for the underscores.

    Returns:
      The options.

    Raises:
      SettingsError: they contradict each other.
      SystemExit: argparse's own end for what is no flag, or for `--help`.

    Example:
      >>> parse_flags(["--rest-api-port=8501", "--model_base_path=models"]).rest_api_port
      8501
    """
    parser = argparse.ArgumentParser(
        prog="python -m serving.server", allow_abbrev=False, argument_default=argparse.SUPPRESS
    )
    types = typing.get_type_hints(ServerOptions)
    for field in dataclasses.fields(ServerOptions):
        names = dict.fromkeys((f"--{field.name}", f"--{field.name.replace('_', '-')}"))
        extra: dict[str, Any] = {"type": types[field.name]}
        if types[field.name] is bool:
            extra = {"type": _bool, "nargs": "?", "const": True, "metavar": "true|false"}
        parser.add_argument(*names, dest=field.name, **extra)
    return ServerOptions(**vars(parser.parse_args(arguments)))


def _bool(text: str) -> bool:
    """Reads a boolean as TF Serving does."""
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise argparse.ArgumentTypeError(f"must be true or false. Received {text!r}.")
