"""A model server in a process of its own, which loads one candidate and answers questions."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

import pipeline
from prodcls_tf.errors import RunError

_NAME, _VERSION = "candidate", "1"
_POLL = 0.1
# Of a socket in the file system there is no port to be taken, and no proxy that gets in between.
_CHANNEL = [
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
# Codes that are about the machine, not about the model.
_OF_THE_MACHINE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


class RefusedError(Exception):
    """The server will not load the model, or does not answer as it should."""


class CanaryServer:
    """The server that `started` started."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, socket: Path, seconds: float):
        """See `started`."""
        self._process, self._log, self._seconds = process, log, seconds
        self._channel = grpc.insecure_channel(f"unix:{socket}", _CHANNEL)

    def wait(self) -> None:
        """Waits until it answers.

        Raises:
          RunError: it ended, or takes too long. No fault of the model's: it has none yet.
        """
        ready = grpc.channel_ready_future(self._channel)
        until = time.monotonic() + self._seconds
        while True:
            with contextlib.suppress(grpc.FutureTimeoutError):
                ready.result(timeout=_POLL)
                return
            if self._process.poll() is not None:
                raise self._broken("it ended")
            if time.monotonic() > until:
                raise self._broken(f"it took more than {self._seconds:g} s")

    def load(self, base: Path) -> None:
        """Has it load a model.

        Args:
          base: the folder above that of the version.

        Raises:
          RefusedError: it cannot.
          RunError: the server itself cannot go on.
        """
        request = model_management_pb2.ReloadConfigRequest()
        request.config.model_config_list.config.add(
            name=_NAME, base_path=str(base), model_platform="tensorflow"
        )
        stub = model_service_pb2_grpc.ModelServiceStub(self._channel)
        with self._refusing("load the model"):
            reply = stub.HandleReloadConfigRequest(request, timeout=self._seconds)
        if reply.status.error_code:
            raise RefusedError(f"cannot load the model: {reply.status.error_message}")

    def ask(
        self, fields: Sequence[str], rows: Sequence[Sequence[bytes]]
    ) -> list[list[tuple[str, float]]]:
        """Asks for the categories of rows, in one request.

        Args:
          fields: names of the text fields.
          rows: their values, by row.

        Returns:
          For each row its categories and scores, best first.

        Raises:
          RefusedError: there is no answer, or none that can be understood.
          RunError: the server itself cannot go on.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = _NAME, "serving_default"
        for field, column in zip(fields, zip(*rows, strict=True), strict=True):
            values = tf.make_tensor_proto(list(column), tf.string)
            request.inputs[field].CopyFrom(values)
        stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        with self._refusing("answer"):
            outputs = stub.Predict(request, timeout=self._seconds).outputs
        return _answers(outputs, len(rows))

    def close(self) -> None:
        """Ends the connection; the process ends with the `with` block of `started`."""
        self._channel.close()

    @contextlib.contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            if code in _OF_THE_MACHINE:
                # A model can crash a server, but a full memory looks just the same.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(1.0)
                raise self._broken(f"it could not {what} ({code.name}: {details})") from None
            if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                details = f"not within the {self._seconds:g} s of evaluation.canary_seconds"
            raise RefusedError(f"cannot {what}: {details}") from None

    def _broken(self, what: str) -> RunError:
        code = self._process.poll()
        if code is not None and code < 0:
            hint = ": the system may be out of memory" if code == -9 else ""
            what += f", and its process was ended by signal {-code}{hint}"
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = f" Its last words: {lines[-1]}" if lines else ""
        return RunError(
            "A new model must answer in a server of its own before it is pushed. Received a "
            f"server that did not serve: {what}.{said} Free memory and processors, or allow more "
            "time with --set evaluation.canary_seconds=600, and run the same command again."
        )


@contextlib.contextmanager
def started(seconds: float) -> Iterator[CanaryServer]:
    """Starts a server without a model; it ends with the `with` block, whatever happens.

    Args:
      seconds: that it may take to start, to load a model, and to answer a request.

    Yields:
      The server, which may not answer yet.
    """
    # Its own short path: that of a socket may have a hundred characters.
    with tempfile.TemporaryDirectory(prefix="prodcls-") as name:
        folder = Path(name)
        config, log, socket = folder / "models.config", folder / "log", folder / "socket"
        config.write_text("model_config_list {}\n", encoding="ascii")
        command = [
            *(sys.executable, "-m", "pipeline.canary_process", "--port=0"),
            *(f"--grpc_socket_path={socket}", f"--model_config_file={config}"),
            *("--enable_reload_config", f"--ready_timeout_seconds={seconds}"),
        ]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                # Where this very code lies: not a folder of the user's that is called the same.
                cwd=Path(pipeline.__file__).parents[1],
                # Never written to: its end tells the process that this one is gone.
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                # The training holds the GPU, and a few rows need none.
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            )
        try:
            server = CanaryServer(process, log, socket, seconds)
            try:
                yield server
            finally:
                server.close()
        finally:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


@contextlib.contextmanager
def as_version(model: Path, place: Path) -> Iterator[Path]:
    """Shows a model as a version that a server can load, within the `with` block.

    Args:
      model: folder of a SavedModel, of any name.
      place: a folder on the same disk, so that no byte is copied.

    Yields:
      The folder above that of the version.
    """
    base = place / _NAME
    shutil.rmtree(base, ignore_errors=True)
    try:
        # Not a link to the folder: a server takes none that leads away from the model's.
        shutil.copytree(model, base / _VERSION, copy_function=_link)
        yield base
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _answers(outputs: Mapping[str, TensorProto], rows: int) -> list[list[tuple[str, float]]]:
    try:
        categories, scores = (tf.make_ndarray(outputs[name]) for name in ("categories", "scores"))
        paired = zip(categories, scores, strict=True)
        answers = [[(c.decode(), float(s)) for c, s in zip(*row, strict=True)] for row in paired]
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"gives no categories and scores: {error}") from None
    if len(answers) != rows:
        raise RefusedError(f"gives {len(answers)} answers to {rows} rows")
    return answers
