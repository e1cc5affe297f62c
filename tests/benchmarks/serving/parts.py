"""Measures what a request takes beside the model: the parts that make up the server's share.

    python -m tests.benchmarks.serving.parts [--model FOLDER]

Each part is done by itself, in one process; what they cost each other, such as caches gone cold
and threads that wake up, is in the figures of `python -m tests.benchmarks.serving` alone.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from serving.exchange import Model, predict_request
from serving.saved_model import LocalModel
from serving.server.requests import chosen_outputs, parsed_inputs, predict_signature
from serving.server.servable import Servable, ServableId
from serving.server.tensors import write_tensor
from serving.versions import find_version
from tests.benchmarks.serving.__main__ import sample_rows
from tests.benchmarks.serving.processes import NAME

_SIGNATURE = "serving_default"
_CALLS = 2_000


def main() -> None:
    """Prints the table of docs/results.md."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.serving.parts")
    parser.add_argument("--model", type=Path, default=Path("runs/demo"))
    version = find_version(parser.parse_args().model)
    fields = LocalModel(version).fields
    servable = Servable.load(ServableId(NAME, 1), version)
    columns = [_parts(servable, fields, count) for count in (1, 32)]
    sys.stdout.write("| us | 1 row | 32 rows |\n|---|---|---|\n")
    for name, one in columns[0].items():
        sys.stdout.write(f"| {name} | {one:,.0f} | {columns[1][name]:,.0f} |\n")


def _parts(servable: Servable, fields: list[str], count: int) -> dict[str, float]:
    rows = [tuple(text.encode() for text in row) for row in sample_rows(fields)[:count]]
    asked = predict_request(Model(NAME), fields, rows).SerializeToString()
    request = PredictRequest.FromString(asked)
    signature = predict_signature(servable, _SIGNATURE)
    inputs = parsed_inputs(signature, request.inputs)
    wanted = chosen_outputs(signature, request.output_filter)
    outputs = servable.run(signature, inputs, wanted)

    def response() -> PredictResponse:
        message = PredictResponse()
        for alias, array in outputs.items():
            write_tensor(array, message.outputs[alias])
        return message

    filled = response()
    answer = filled.SerializeToString()
    with _echo(answer) as call:
        parts: dict[str, Callable[[], object]] = {
            "gRPC, there and back, with a server that answers the same bytes": lambda: call(asked),
            "bytes to a request": lambda: PredictRequest.FromString(asked),
            "a request to checked arrays": lambda: parsed_inputs(
                predict_signature(servable, _SIGNATURE), request.inputs
            ),
            "arrays to a response": response,
            "a response to bytes": filled.SerializeToString,
        }
        return {name: _median_us(part) for name, part in parts.items()}


@contextmanager
def _echo(answer: bytes) -> Iterator[Callable[[bytes], bytes]]:
    class Handler(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(lambda request, context: answer)

    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((Handler(),))
        port = server.add_insecure_port("localhost:0")
        server.start()
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            yield channel.unary_unary("/echo/Echo")
        server.stop(None).wait()


def _median_us(part: Callable[[], object]) -> float:
    taken = []
    for _ in range(_CALLS):
        before = time.perf_counter()
        part()
        taken.append(time.perf_counter() - before)
    return 1e6 * statistics.median(taken)


if __name__ == "__main__":
    main()
