"""The warm-up requests that a model brings along, for the server that loads it.

TensorFlow plans a graph when it is first run with a set of outputs: with the bundled encoder that
costs more than a second, a hundred times what the request itself does. What a new shape costs is
little beside it. So both signatures that clients ask are covered, and every batch size and every
length of text, but not every one with every other: the largest of those would keep the cores from
the requests that the old version answers meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from prodcls_tf.export.signatures import CLASSIFY, SERVING

WARMUP_FILE = "tf_serving_warmup_requests"

# A server that merges requests must take as many rows at once as the largest of these.
BATCH_SIZES = (1, 2, 4, 8, 16, 32)
# Words of a title, and of the shortest of the lengths, each of which is twice the one before.
_TYPICAL, _SHORTEST = 9, 4
# Invented for the purpose.
_TITLES = (
    "Brellin folding travel kettle 0.8 l stainless steel with silicone lid grey",
    "Ostravin merino hiking socks women size 38-40 pack of 3 cushioned heel",
    "Quellmar USB-C charger 65W two ports foldable plug white incl. 2 m cable",
    "Torvanik garden hose reel wall mounted 20 m automatic rewind anthracite",
)
_WORDS = " ".join(_TITLES).split()


def write_warmup_requests(
    path: Path, model_name: str, fields: Sequence[str], max_length: int
) -> None:
    """Writes the requests as TF Serving replays them before a version serves.

    Args:
      path: of the file.
      model_name: that the requests name.
      fields: names of the text fields; the last one is the longest.
      max_length: tokens kept of a row.

    Raises:
      OSError, tf.errors.OpError: the file cannot be written.
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for rows in BATCH_SIZES:
            texts = _texts(rows, _TYPICAL, fields)
            writer.write(_predict(model_name, fields, texts).SerializeToString())
            writer.write(_classify(model_name, fields, texts).SerializeToString())
        for words in _lengths(max_length):
            texts = _texts(1, words, fields)
            writer.write(_predict(model_name, fields, texts).SerializeToString())


def _lengths(max_length: int) -> Iterator[int]:
    """Numbers of words; a word is a token or more, so that `max_length` of them fill a row."""
    words = _SHORTEST
    while words < max_length:
        yield words
        words *= 2
    yield max_length


def _texts(rows: int, words: int, fields: Sequence[str]) -> list[list[bytes]]:
    """For each row, its fields: words for the title, and what goes beyond one into the last."""
    texts = []
    for row in range(rows):
        chosen = [_WORDS[(7 * row + word) % len(_WORDS)] for word in range(words)]
        columns = [b""] * len(fields)
        columns[0] = " ".join(chosen[:_TYPICAL]).encode("utf-8")
        rest = " ".join(chosen[_TYPICAL:]).encode("utf-8")
        columns[-1] = (columns[-1] + b" " + rest).strip()
        texts.append(columns)
    return texts


def _predict(name: str, fields: Sequence[str], texts: Sequence[Sequence[bytes]]) -> PredictionLog:
    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = name, SERVING
    for field, column in zip(fields, zip(*texts, strict=True), strict=True):
        request.inputs[field].CopyFrom(tf.make_tensor_proto(list(column), tf.string))
    return log


def _classify(name: str, fields: Sequence[str], texts: Sequence[Sequence[bytes]]) -> PredictionLog:
    log = PredictionLog()
    request = log.classify_log.request
    request.model_spec.name, request.model_spec.signature_name = name, CLASSIFY
    for row in texts:
        features = request.input.example_list.examples.add().features.feature
        for field, text in zip(fields, row, strict=True):
            features[field].bytes_list.value.append(text)
    return log
