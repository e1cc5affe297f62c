"""Calls a SavedModel in this process, as often as the benchmark asks: what the server is held to.

    python -m tests.benchmarks.serving.in_process VERSION_FOLDER

Takes one job a line as JSON, {"rows": [[text, ...], ...], "callers": N, "seconds": S}, and answers
each with a line of the seconds that every call took.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import tensorflow as tf
import tensorflow_text as _  # noqa: F401  (its operations are in the graph)

from tests.benchmarks.serving.timing import timed


def main() -> None:
    """Answers jobs until the input ends."""
    model = tf.saved_model.load(sys.argv[1])
    signature = model.signatures["serving_default"]
    fields = list(signature.structured_input_signature[1])
    print(json.dumps(fields), flush=True)
    for line in sys.stdin:
        job: dict[str, Any] = json.loads(line)
        columns = list(zip(*job["rows"], strict=True))

        def call(columns: list[tuple[str, ...]] = columns) -> None:
            inputs = {f: tf.constant(c) for f, c in zip(fields, columns, strict=True)}
            for output in signature(**inputs).values():
                output.numpy()

        print(json.dumps(timed([call] * job["callers"], job["seconds"])), flush=True)


if __name__ == "__main__":
    main()
