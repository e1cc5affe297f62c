"""The warm-up requests that an export brings along."""

from __future__ import annotations

import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from prodcls_tf.export.warmup import BATCH_SIZES, write_warmup_requests


def requests(tmp_path, fields=("title", "description"), max_length=128) -> list[PredictionLog]:
    path = tmp_path / "requests"
    write_warmup_requests(path, "shoes", fields, max_length)
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [PredictionLog.FromString(record) for record in records]


def rows_of(log: PredictionLog) -> list[dict[str, bytes]]:
    """The text fields of each row of a request, whichever kind it is."""
    if log.WhichOneof("log_type") == "predict_log":
        inputs = log.predict_log.request.inputs
        columns = {name: tf.make_ndarray(tensor) for name, tensor in inputs.items()}
        names, values = columns.keys(), zip(*columns.values(), strict=True)
        return [dict(zip(names, row, strict=True)) for row in values]
    examples = log.classify_log.request.input.example_list.examples
    return [
        {name: f.bytes_list.value[0] for name, f in example.features.feature.items()}
        for example in examples
    ]


def words(row: dict[str, bytes]) -> int:
    return sum(len(text.split()) for text in row.values())


def shapes(logs: list[PredictionLog], kind: str) -> set[tuple[int, int]]:
    """Rows, and words of each, of the requests of a kind."""
    asked = [rows_of(log) for log in logs if log.WhichOneof("log_type") == kind]
    return {(len(rows), words(rows[0])) for rows in asked}


def test_both_signatures_are_asked_with_every_batch_size(tmp_path):
    logs = requests(tmp_path)
    for kind in ("predict_log", "classify_log"):
        assert {rows for rows, _ in shapes(logs, kind)} == set(BATCH_SIZES)


def test_every_length_of_text_is_asked_with_one_row(tmp_path):
    lengths = {words for rows, words in shapes(requests(tmp_path), "predict_log") if rows == 1}
    assert lengths == {4, 8, 9, 16, 32, 64, 128}


def test_the_longest_text_is_one_that_fills_a_row(tmp_path):
    asked = shapes(requests(tmp_path, max_length=100), "predict_log")
    assert max(words for _, words in asked) == 100


def test_requests_name_model_and_signature(tmp_path):
    specs = {
        (spec.name, spec.signature_name)
        for log in requests(tmp_path)
        for spec in (log.predict_log.request.model_spec, log.classify_log.request.model_spec)
        if spec.name
    }
    assert specs == {("shoes", "serving_default"), ("shoes", "classify")}


def test_there_are_a_few_dozen_at_most(tmp_path):
    assert 10 < len(requests(tmp_path)) <= 36


def test_long_texts_go_into_the_last_field(tmp_path):
    rows = [row for log in requests(tmp_path) for row in rows_of(log)]
    assert max(len(row["title"].split()) for row in rows) == 9
    assert all(row["description"] == b"" for row in rows if words(row) <= 9)


def test_a_single_field_takes_all_of_the_text(tmp_path):
    rows = [row for log in requests(tmp_path, fields=("name",)) for row in rows_of(log)]
    assert {len(row["name"].split()) for row in rows} == {4, 8, 9, 16, 32, 64, 128}


def test_many_rows_are_never_long_ones(tmp_path):
    asked = shapes(requests(tmp_path, max_length=512), "predict_log")
    assert max(rows * words for rows, words in asked) == 512


def test_rows_of_a_request_differ(tmp_path):
    rows = max(map(rows_of, requests(tmp_path)), key=len)
    assert len({row["title"] for row in rows}) > len(rows) / 2
