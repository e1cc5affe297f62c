"""What `prodcls serve` says: who serves what at which address, and how to ask."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from rich.text import Text

from prodcls_tf.cli import terminal
from prodcls_tf.errors import ProdclsError

if TYPE_CHECKING:
    from serving.engine import Engine, Flag, ServedModel
    from serving.server.server import EmbeddedServer

_TITLE = "wireless mouse 2.4 GHz"
_SIGNATURE = "serving_default"
_STRING = 7
_NAMES = {"tfserving": "TensorFlow Serving", "docker": "TensorFlow Serving in Docker"}


def announce_program(
    engine: Engine,
    arguments: Sequence[str],
    model: Optional[ServedModel],
    given: Mapping[str, Flag],
) -> None:
    """Says what is about to be executed, and how to ask it.

    Args:
      engine: that was chosen.
      arguments: the program and its arguments.
      model: that it serves; None for a configuration of its own.
      given: flags.
    """
    name = str(given.get("model_name", model.name if model is not None else "default"))
    port, rest = int(given.get("port", 8500)), int(given.get("rest_api_port", 0))
    _title(_NAMES[engine.name], engine.why)
    what = f"{name} of {model.base}" if model is not None else "as its flags say"
    _line("model", what)
    _addresses("localhost", port, rest)
    _line("runs", shlex.join(arguments))
    fields = _trained_fields(model) if model is not None else []
    _next(name, f"localhost:{port}", rest, fields, given, reflection=False)


def announce_server(engine: Engine, server: EmbeddedServer, given: Mapping[str, Any]) -> None:
    """Says what the embedded server has loaded, and how to ask it.

    Args:
      engine: that was chosen.
      server: that has started.
      given: flags.
    """
    host = str(given.get("host", "127.0.0.1"))
    host = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host
    port, rest = server.port or 0, server.rest_port or 0
    _title("Embedded server", engine.why)
    loaded = server.loaded()
    for name, versions in loaded.items():
        numbers = " and ".join(map(str, versions))
        one = "version" if len(versions) == 1 else "versions"
        _line("model", f"{name}, {one} {numbers}")
    _addresses(host, port, rest, server.figures_path or "")
    name = next(iter(loaded))
    reflection = bool(given.get("enable_reflection", True))
    _next(name, f"{host}:{port}", rest, _asked_fields(server, name), given, reflection=reflection)
    terminal.out().print("\n  Ctrl-C ends it: requests under way are answered.")
    terminal.out().file.flush()


def _addresses(host: str, port: int, rest: int, figures: str = "") -> None:
    _line("gRPC", f"{host}:{port}")
    if not rest:
        _line("REST", "off, as with TensorFlow Serving; --rest_api_port=8501 turns it on")
        return
    _line("REST", f"http://{host}:{rest}/v1/models")
    if figures:
        _line("figures", f"http://{host}:{rest}{figures}")


def _title(who: str, why: str) -> None:
    terminal.out().print(Text.assemble("\n", (who, "bold"), "  ", (why, "soft")), soft_wrap=True)


def _line(what: str, value: str) -> None:
    # Not marked up and not wrapped: names and folders are anything.
    terminal.out().print(Text(f"  {what:<7} {value}"), soft_wrap=True)


def _next(
    name: str,
    address: str,
    rest: int,
    fields: Sequence[str],
    given: Mapping[str, Any],
    *,
    reflection: bool,
) -> None:
    """Prints requests to copy."""
    files = _tls_files(str(given.get("ssl_config_file") or ""))
    ask = ["ask", _TITLE, "--server", address]
    ask += ["--model", name] if name != "prodcls" else []
    for what, file in files.items():
        ask += [f"--{what}", file]
    steps = [("ask it", f"{terminal.program()} {shlex.join(ask)}")]
    if fields and reflection:
        steps.append(("with grpcurl", _grpcurl(name, address, fields, files)))
    if rest:
        host = address.rpartition(":")[0]
        steps.append(("with curl", _curl(name, f"{host}:{rest}", fields)))
    terminal.next_steps(steps)


def _tls_files(config: str) -> dict[str, str]:
    """What a client needs for TLS; the names stand for its own files."""
    if not config:
        return {}
    from serving.server.tls import asks_for_certificates

    mine = {"cert": "CLIENT.pem", "key": "CLIENT.key"} if asks_for_certificates(config) else {}
    return {"ca": "CA.pem", **mine}


def _grpcurl(name: str, address: str, fields: Sequence[str], files: Mapping[str, str]) -> str:
    texts = [_TITLE, *[""] * (len(fields) - 1)]
    tensors = {
        field: {
            "dtype": "DT_STRING",
            "tensor_shape": {"dim": [{"size": 1}]},
            # Bytes are base64 in the JSON of protobuf.
            "string_val": [base64.b64encode(text.encode()).decode()],
        }
        for field, text in zip(fields, texts, strict=True)
    }
    request = json.dumps({"model_spec": {"name": name}, "inputs": tensors})
    names = {"ca": "-cacert", "cert": "-cert", "key": "-key"}
    secured = " ".join(f"{names[what]} {file}" for what, file in files.items()) or "-plaintext"
    return (
        f"grpcurl {secured} -d {shlex.quote(request)} \\\n"
        f"  {address} tensorflow.serving.PredictionService/Predict"
    )


def _curl(name: str, address: str, fields: Sequence[str]) -> str:
    url = f"http://{address}/v1/models/{name}"
    if not fields:
        return f"curl {shlex.quote(f'{url}/metadata')}"
    row = dict(zip(fields, [_TITLE, *[""] * len(fields)], strict=False))
    return (
        f"curl -d {shlex.quote(json.dumps({'instances': [row]}))} {shlex.quote(f'{url}:predict')}"
    )


def _asked_fields(server: EmbeddedServer, name: str) -> list[str]:
    """The inputs of a model, the title first; none where they are not all texts."""
    with server.registry.acquire(name) as servable:
        signature = servable.signatures.get(_SIGNATURE)
    if signature is None or any(info.dtype != _STRING for info in signature.inputs.values()):
        return []
    return sorted(signature.inputs, key=lambda field: (field != "title", field))


def _trained_fields(model: ServedModel) -> list[str]:
    """The same of a model that nobody has loaded, where it says what it was trained on."""
    from prodcls_tf.settings import Settings
    from serving.versions import version_numbers

    version = model.version if model.version is not None else version_numbers(model.base)[-1]
    file = Path(model.base, str(version), "assets.extra", "settings.yaml")
    try:
        return Settings.stored(file).data.fields if file.is_file() else []
    except ProdclsError:  # another project's file; its model is served all the same
        return []
