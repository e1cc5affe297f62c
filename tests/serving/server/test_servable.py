from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

from serving.saved_model import LocalModel
from serving.server import servable as module
from serving.server.background import requests_first
from serving.server.servable import Servable, ServableId, SessionOptions
from serving.server.status import Code, ServingError
from tests.serving.server.loaded import load_tiny_model, strings
from tests.serving.tiny_model import CATEGORIES, save_tiny_model


@pytest.fixture(scope="module")
def servable(tmp_path_factory):
    loaded = load_tiny_model(tmp_path_factory.mktemp("model"))
    yield loaded
    loaded.close()


def ask(servable: Servable, key: str, outputs: list[str], **inputs: np.ndarray) -> dict:
    return servable.run(servable.signatures[key], inputs, outputs)


def pan(servable: Servable) -> dict[str, np.ndarray]:
    texts = {"title": strings(b"Frying PAN"), "description": strings(b"")}
    return ask(servable, "serving_default", ["categories", "scores"], **texts)


def test_answers_as_the_model_does_in_process(servable):
    title = "wireless headphones for 猫"
    (expected,) = LocalModel(servable.folder).ask({"title": [title], "description": [""]})
    outputs = ask(
        servable,
        "serving_default",
        ["categories", "scores"],
        title=strings(title.encode()),
        description=strings(b""),
    )
    assert [path.decode() for path in outputs["categories"][0]] == [path for path, _ in expected]
    np.testing.assert_allclose(outputs["scores"][0], [score for _, score in expected])


def test_gives_the_outputs_that_are_asked_for_alone(servable):
    texts = {"title": strings(b"pan"), "description": strings(b"")}
    assert list(ask(servable, "serving_default", ["scores"], **texts)) == ["scores"]


@pytest.mark.parametrize(
    "title", [b"", b"a\0b", b"\xff\xfe\xc3 pan", "שלום 😀".encode(), b"x" * 10**6]
)
def test_any_bytes_get_finite_scores_that_sum_to_one(servable, title):
    texts = {"title": strings(title, b"pan"), "description": strings(b"", b"")}
    scores = ask(servable, "serving_default", ["scores"], **texts)["scores"]
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_numbers_of_all_kinds_go_in_and_out(servable):
    x, n = np.array([[1, 2], [3, 4]], np.float32), np.array([6, 7])
    outputs = ask(servable, "numbers", ["total", "next", "even"], x=x, n=n)
    assert [outputs[name].tolist() for name in ("total", "next", "even")] == [
        [3, 7], [7, 8], [True, False],
    ]  # fmt: skip


def test_an_array_that_is_not_contiguous_is_read_right(servable):
    x = np.arange(6, dtype=np.float32).reshape(3, 2).T
    outputs = ask(servable, "numbers", ["total"], x=x, n=np.array([1, 2]))
    assert outputs["total"].tolist() == [6, 9]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
@pytest.mark.parametrize("behind", [True, False])
def test_operations_have_the_priority_of_who_asks(behind):
    def niceness(_: np.ndarray) -> np.int64:
        return np.int64(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.int64, [], "x")
        y = tf.identity(tf.compat.v1.py_func(niceness, [x], tf.int64), "y")
        signature = tf.compat.v1.saved_model.predict_signature_def({"x": x}, {"y": y})
    session = tf.compat.v1.Session(graph=graph)
    servable = Servable(ServableId("m", 1), Path(), session, {"serving_default": signature})
    with requests_first(behind):
        measured = ask(servable, "serving_default", ["y"], x=np.int64(0))["y"]
    servable.close()
    usual = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert (measured > usual) == behind


def test_many_threads_ask_at_a_time(servable):
    def total(number: int) -> float:
        x = np.full((1, 3), number, np.float32)
        return ask(servable, "numbers", ["total"], x=x, n=np.array([1]))["total"][0]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(total, range(200))) == [3 * number for number in range(200)]


def test_an_error_of_the_graph_keeps_its_code(servable):
    with pytest.raises(ServingError, match="Could not parse example") as caught:
        ask(servable, "classify", ["scores"], inputs=strings(b"no example"))
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_signature_without_tensors_cannot_be_run(servable):
    with pytest.raises(ServingError, match="not found in the Graph") as caught:
        ask(servable, "__saved_model_init_op", ["__saved_model_init_op"])
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_run_whose_deadline_has_passed_is_not_started(servable):
    rounds = {"rounds": np.array([10**6], np.int32)}
    with pytest.raises(ServingError) as caught:
        servable.run(servable.signatures["slow"], rounds, ["done"], time.monotonic() - 1)
    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_a_run_stops_at_its_deadline(servable):
    begin = time.monotonic()
    rounds = {"rounds": np.array([10**6], np.int32)}  # minutes
    with pytest.raises(ServingError) as caught:
        servable.run(servable.signatures["slow"], rounds, ["done"], begin + 0.05)
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    assert time.monotonic() - begin < 30


def test_a_far_deadline_is_no_deadline(servable):
    signature = servable.signatures["slow"]
    rounds = {"rounds": np.array([1], np.int32)}
    outputs = servable.run(signature, rounds, ["done"], time.monotonic() + 1e9)
    assert outputs["done"].tolist() == [1.0]


def test_after_many_choices_of_outputs_all_are_computed_and_the_rest_left_out(
    servable, monkeypatch
):
    monkeypatch.setattr(module, "_MAX_PLANS", 0)
    inputs = {"x": np.ones((1, 1), np.float32), "n": np.array([1])}
    outputs = ask(servable, "numbers", ["even", "next"], **inputs)
    assert {name: array.tolist() for name, array in outputs.items()} == {
        "even": [False],
        "next": [2],
    }


@pytest.fixture
def numbers(tmp_path):
    """A version of TensorFlow 1, without functions, with an output that fails on words."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.string, [None], "x")
        outputs = {"text": tf.strings.lower(x), "number": tf.strings.to_number(x)}
        v1.saved_model.simple_save(session, str(tmp_path / "1"), {"x": x}, outputs)
    loaded = Servable.load(ServableId("m", 1), tmp_path / "1")
    yield loaded
    loaded.close()


def test_an_output_that_is_not_asked_for_is_not_computed(numbers):
    assert ask(numbers, "serving_default", ["text"], x=strings("A"))["text"].tolist() == [b"a"]


def test_once_all_outputs_were_asked_for_all_are_computed_without_another_plan(numbers):
    ask(numbers, "serving_default", ["text", "number"], x=strings("1"))
    assert list(ask(numbers, "serving_default", ["text"], x=strings("1"))) == ["text"]
    with pytest.raises(ServingError, match="StringToNumber"):
        ask(numbers, "serving_default", ["text"], x=strings("A"))


def test_a_closed_version_answers_no_more(tmp_path):
    servable = load_tiny_model(tmp_path)
    servable.close()
    servable.close()
    with pytest.raises(ServingError) as caught:
        pan(servable)
    assert caught.value.code is Code.UNAVAILABLE


def test_closing_cancels_what_still_runs(tmp_path):
    servable = load_tiny_model(tmp_path)
    errors = []

    def run_for_minutes() -> None:
        try:
            ask(servable, "slow", ["done"], rounds=np.array([10**6], np.int32))
        except ServingError as error:
            errors.append(error.code)

    thread = threading.Thread(target=run_for_minutes)
    thread.start()
    time.sleep(0.3)
    servable.close()
    thread.join(60)
    assert errors == [Code.CANCELLED]


def test_options_reach_the_session():
    options = SessionOptions(2, -1, gpu_memory_fraction=0.5, allow_growth=True).to_proto()
    assert options.intra_op_parallelism_threads == 2
    assert options.inter_op_parallelism_threads == -1
    assert options.gpu_options.per_process_gpu_memory_fraction == 0.5
    assert options.gpu_options.allow_growth


def test_idle_threads_leave_the_cores_to_others():
    assert SessionOptions().to_proto().experimental.disable_thread_spinning


def test_what_makes_no_run_faster_is_left_out_of_planning():
    rewriting = SessionOptions().to_proto().graph_options.rewrite_options
    assert rewriting.meta_optimizer_iterations == RewriterConfig.ONE
    assert rewriting.disable_tfg_optimizer
    assert rewriting.memory_optimization == RewriterConfig.NO_MEM_OPT


def test_operations_run_in_the_thread_that_asks_if_told_so(tmp_path):
    folder = save_tiny_model(tmp_path / "1")
    servable = Servable.load(ServableId("m", 1), folder, SessionOptions(inter_op_threads=-1))
    assert pan(servable)["categories"][0][0] == CATEGORIES[1].encode()
    servable.close()


def test_loading_and_closing_frees_what_it_takes(tmp_path, fresh_python):
    save_tiny_model(tmp_path / "1")
    printed = fresh_python(
        f"""
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from pathlib import Path
import numpy as np, psutil
from serving.server.servable import Servable, ServableId
process, folder = psutil.Process(), Path({str(tmp_path / "1")!r})
for number in range(100):
    servable = Servable.load(ServableId("m", number), folder)
    text = np.array([b"pan"] * 8, object)
    signature = servable.signatures["serving_default"]
    servable.run(signature, {{"title": text, "description": text}}, ["scores"])
    servable.close()
    if number in (9, 99):
        print(process.memory_info().rss, process.num_threads(), process.num_fds())
"""
    )
    early, late = (list(map(int, line.split())) for line in printed.splitlines())
    assert late[0] < early[0] + 5 * 2**20
    assert late[1] <= early[1] + 2 and late[2] == early[2]


def test_a_version_without_variables_has_no_need_of_their_files(tmp_path):
    module = tf.Module()
    signature = tf.function(lambda x: {"y": x + 1}).get_concrete_function(
        x=tf.TensorSpec([None], tf.float32, name="x")
    )
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=signature)
    shutil.rmtree(tmp_path / "1" / "variables")
    servable = Servable.load(ServableId("m", 1), tmp_path / "1")
    outputs = ask(servable, "serving_default", ["y"], x=np.ones(1, np.float32))
    assert outputs["y"].tolist() == [2]
    servable.close()


def test_tables_are_filled_from_their_files_wherever_the_version_lies(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("pan\ncat\n")
    module = tf.Module()
    module.table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        num_oov_buckets=1,
    )  # fmt: skip
    module.lookup = tf.function(
        lambda x: {"y": module.table.lookup(x)},
        input_signature=[tf.TensorSpec([None], tf.string, name="x")],
    )
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.lookup)
    words.unlink()
    shutil.move(tmp_path / "1", tmp_path / "moved")
    servable = Servable.load(ServableId("m", 1), tmp_path / "moved")
    outputs = ask(servable, "serving_default", ["y"], x=strings(b"cat", b"dog"))
    assert outputs["y"].tolist() == [1, 2]
    servable.close()


def test_a_version_of_tensorflow_1_is_loaded(tmp_path):
    v1 = tf.compat.v1
    folder: Path = tmp_path / "1"
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.string, [None], "x")
        weight = v1.get_variable("weight", initializer=3, dtype=tf.int32, use_resource=False)
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(["a"], [2]), default_value=0
        )
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        v1.saved_model.simple_save(
            session, str(folder), {"x": x}, {"y": table.lookup(x) * weight}, v1.tables_initializer()
        )
    servable = Servable.load(ServableId("m", 1), folder)
    outputs = ask(servable, "serving_default", ["y"], x=strings(b"a", b"b"))
    assert outputs["y"].tolist() == [6, 0]
    servable.close()
