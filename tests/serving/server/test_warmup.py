"""Warm-up requests, replayed on a real version."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from prodcls_tf.export.warmup import write_warmup_requests
from serving.server.repository import WARMUP_FILE
from serving.server.servable import Servable, ServableId
from serving.server.status import Code, ServingError
from serving.server.warmup import warm_up
from tests.serving.tiny_model import save_tiny_model

PREDICT = """predict_log { request {
  model_spec { name: "of another name" }
  inputs { key: "title"
           value { dtype: DT_STRING tensor_shape { dim { size: 1 } } string_val: "pan" } }
  inputs { key: "description"
           value { dtype: DT_STRING tensor_shape { dim { size: 1 } } string_val: "" } }
} }"""
_EXAMPLES = "input { example_list { examples { features {} } } }"
CLASSIFY = f"""classify_log {{ request {{
  model_spec {{ signature_name: "classify" }} {_EXAMPLES} }} }}"""
REGRESS = f"""regress_log {{ request {{
  model_spec {{ signature_name: "regress" }} {_EXAMPLES} }} }}"""
MULTI = f"""multi_inference_log {{ request {{
  tasks {{ model_spec {{ signature_name: "classify" }} method_name: "tensorflow/serving/classify" }}
  tasks {{ model_spec {{ signature_name: "regress" }} method_name: "tensorflow/serving/regress" }}
  {_EXAMPLES} }} }}"""


class Counting(Servable):
    """A version that counts its runs."""

    runs = 0

    def run(self, *arguments, **options) -> dict[str, np.ndarray]:
        self.runs += 1
        return super().run(*arguments, **options)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = save_tiny_model(tmp_path_factory.mktemp("model") / "1")
    servable = Counting.load(ServableId("prodcls", 1), folder)
    yield servable
    servable.close()


@pytest.fixture
def servable(loaded):
    loaded.runs = 0
    yield loaded
    (loaded.folder / WARMUP_FILE).unlink(missing_ok=True)


def write(servable, *records: bytes):
    path = servable.folder / WARMUP_FILE
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path


def log(text: str) -> bytes:
    return text_format.Parse(text, PredictionLog()).SerializeToString()


def refusal(servable) -> ServingError:
    with pytest.raises(ServingError) as caught:
        warm_up(servable)
    return caught.value


def test_version_without_a_file_is_not_asked(servable):
    warm_up(servable)
    assert servable.runs == 0


@pytest.mark.parametrize(("text", "runs"), [(PREDICT, 1), (CLASSIFY, 1), (REGRESS, 1), (MULTI, 2)])
def test_requests_of_every_kind_are_asked_of_this_version(servable, text, runs):
    write(servable, log(text), log(text))
    warm_up(servable)
    assert servable.runs == 2 * runs


def test_what_an_export_writes_can_be_replayed(servable, caplog):
    caplog.set_level("INFO")
    path = servable.folder / WARMUP_FILE
    write_warmup_requests(path, "prodcls", ["title", "description"], 128)
    warm_up(servable)
    assert servable.runs == 18
    assert f"is warm: {servable.runs} requests" in caplog.text
    assert not any(record.levelname == "WARNING" for record in caplog.records)


def test_a_thousand_records_are_asked_and_one_more_is_refused_unasked(servable):
    write(servable, *[log(PREDICT)] * 1000)
    warm_up(servable)
    assert servable.runs == 1000
    write(servable, *[log(PREDICT)] * 1001)
    error = refusal(servable)
    assert error.code == Code.INVALID_ARGUMENT
    assert error.message.startswith("Number of warmup records exceeds the maximum (1000) at")
    assert servable.runs == 1000


def damaged(content: bytes) -> dict[str, bytes]:
    flipped = bytearray(content)
    flipped[-20] ^= 1
    return {
        "a flipped bit": bytes(flipped),
        "a missing end": content[:-7],
        "no record at all": b"these are no records, and quite enough of them",
    }


@pytest.mark.parametrize("damage", ["a flipped bit", "a missing end", "no record at all"])
def test_corrupt_file_is_data_loss(servable, damage):
    path = write(servable, log(PREDICT), log(PREDICT))
    path.write_bytes(damaged(path.read_bytes())[damage])
    error = refusal(servable)
    assert error.code == Code.DATA_LOSS
    assert error.message.endswith("Please verify your warmup data is in TFRecord format.")


def test_record_that_is_no_prediction_log_is_refused(servable):
    write(servable, log(PREDICT), b"\xff\xff\xff")
    error = refusal(servable)
    assert error.code == Code.INVALID_ARGUMENT
    assert error.message.startswith("Failed to parse warmup record")


def test_record_without_a_request_is_refused(servable):
    write(servable, b"")
    error = refusal(servable)
    assert error.code == Code.UNIMPLEMENTED and "Unsupported log_type for warmup" in error.message


def test_request_that_fails_is_named_by_its_number(servable):
    unknown = PREDICT.replace('name: "of', 'signature_name: "unknown" name: "of')
    write(servable, log(PREDICT), log(unknown))
    error = refusal(servable)
    assert error.code == Code.FAILED_PRECONDITION
    assert error.message.startswith("Warmup record 2 of ")
    assert 'Serving signature key "unknown" not found.' in error.message


def test_call_that_this_server_does_not_have_is_left_out(servable, caplog):
    write(servable, log("session_run_log {}"), log(PREDICT))
    warm_up(servable)
    assert servable.runs == 1
    assert "is a session_run_log, which is left out" in caplog.text
