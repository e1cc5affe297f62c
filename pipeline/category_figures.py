"""F1 by category of a trained model, from what the Evaluator left. Imports no TensorFlow."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from pipeline.training import Training

# A record of a TFRecord file: its length (8 bytes) and a checksum (4), itself, a checksum (4).
_LENGTH, _CHECKSUM = 8, 4


def category_f1(training: Training) -> dict[str, float]:
    """Reads F1 by category path, on the test rows.

    Args:
      training: of a model that the Evaluator has measured.

    Returns:
      F1 by path, of the categories that occur among test rows or predictions; empty where the
      Evaluator's figures, or the names of the categories, are not there any more.

    Example:
      >>> category_f1(training)  # doctest: +SKIP
      {'Audio > Headphones': 0.857, 'Home > Cookware': 1.0}
    """
    if training.evaluation is None or training.categories is None:
        return {}
    try:
        paths = training.categories.read_text(encoding="utf-8").splitlines()
        figures = dict(_f1_by_number(training.evaluation))
    except (OSError, ValueError, DecodeError):
        return {}
    return {paths[number]: f1 for number, f1 in figures.items() if 0 <= number < len(paths)}


def _f1_by_number(evaluation: Path) -> Iterator[tuple[int, float]]:
    message = _metrics_message()
    if message is None:
        return
    for file in sorted(evaluation.glob("metrics-*.tfrecord")):
        for record in _records(file.read_bytes()):
            for entry in message.FromString(record).metric_keys_and_values:
                if entry.key.name == "f1" and entry.key.sub_key.HasField("class_id"):
                    yield entry.key.sub_key.class_id.value, entry.value.double_value.value


def _records(content: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(content):
        length = int.from_bytes(content[place : place + _LENGTH], "little")
        start = place + _LENGTH + _CHECKSUM
        if start + length + _CHECKSUM > len(content):
            raise ValueError("the file ends within a record")
        yield content[start : start + length]
        place = start + length + _CHECKSUM


@functools.cache
def _metrics_message() -> Any:
    """TFMA's message of figures, None where TFMA is not installed.

    The package itself imports TensorFlow and Beam, ten seconds of them; this file of it needs
    protobuf alone.
    """
    package = importlib.util.find_spec("tensorflow_model_analysis")
    if package is None or not package.submodule_search_locations:
        return None
    file = Path(package.submodule_search_locations[0], "proto", "metrics_for_slice_pb2.py")
    spec = importlib.util.spec_from_file_location("prodcls_metrics_for_slice_pb2", file)
    if spec is None or spec.loader is None or not file.is_file():
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MetricsForSlice
