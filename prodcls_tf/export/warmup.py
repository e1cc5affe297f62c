"""The warm-up requests that a model brings along, for the server that loads it.

TensorFlow plans a graph when it is first run with a set of outputs: with the bundled encoder that
costs 0.7 s, a hundred times what the request itself does. What a new shape costs is little beside
it. So both signatures that clients ask are covered, with every batch size and length of text, but
not every one with every other.
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
# Rows times tokens of a request, at most: the warm-up of a model for long texts must end, too.
_MOST_TOKENS = 4096

_SHORT, _TYPICAL = 2, 9
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
        for rows, words in _shapes(max_length):
            texts = _texts(rows, words, fields)
            writer.write(_predict(model_name, fields, texts).SerializeToString())
            # Its graph is the same but for the parsing: each size and length once.
            if words == _TYPICAL or rows == 1:
                writer.write(_classify(model_name, fields, texts).SerializeToString())


def _shapes(max_length: int) -> Iterator[tuple[int, int]]:
    """Rows and words of the requests."""
    # A word is a token or more, so that as many words as tokens fit fill a row.
    lengths = (_SHORT, _TYPICAL, max_length)
    for rows in BATCH_SIZES:
        for words in lengths:
            if rows == 1 or rows * words <= _MOST_TOKENS:
                yield rows, words


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
