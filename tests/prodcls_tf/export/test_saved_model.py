"""The exported SavedModel: its signatures, its agreement with Keras, the ops in its graph."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the ops of the tokenizer)
from tensorflow.core.protobuf import saved_model_pb2

from prodcls_tf import ProductClassifier, Settings
from prodcls_tf.errors import OutputError
from prodcls_tf.manifest import Manifest, check_manifest
from tests.tiny import tiny_rows, tiny_settings

TEXTS = ["acme case 12", "", " ", "\x00", "手机壳 🙂 ẞ", "cable " * 200, "[SEP] [CLS]"]


@pytest.fixture(scope="module")
def classifier(tiny_encoder):
    classifier = ProductClassifier(tiny_settings(tiny_encoder, "push.top_k=2"))
    classifier.fit(tiny_rows(90))
    return classifier


@pytest.fixture(scope="module")
def folder(classifier, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving") / "1"
    classifier.export(folder)
    return folder


@pytest.fixture(scope="module")
def signatures(folder):
    return tf.saved_model.load(str(folder)).signatures


def example(**features):
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
                for name, value in features.items()
            }
        )
    ).SerializeToString()


def test_serving_default_takes_text_and_gives_the_k_best(signatures, classifier):
    answer = signatures["serving_default"](title=tf.constant(TEXTS))
    assert answer["scores"].shape == answer["categories"].shape == (len(TEXTS), 2)
    for row, prediction in enumerate(classifier.predict(TEXTS, top_k=2)):
        paths = [path.decode() for path in answer["categories"][row].numpy()]
        assert paths == [path for path, _ in prediction.ranked]
        expected = [score for _, score in prediction.ranked]
        np.testing.assert_allclose(answer["scores"][row], expected, atol=1e-4)


def test_classify_takes_examples_and_agrees(signatures):
    examples = tf.constant([example(title=text) for text in TEXTS])
    classified = signatures["classify"](inputs=examples)
    answer = signatures["serving_default"](title=tf.constant(TEXTS))
    np.testing.assert_array_equal(classified["classes"], answer["categories"])
    np.testing.assert_allclose(classified["scores"], answer["scores"], atol=1e-6)


def test_classify_is_marked_for_tf_serving(folder):
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    methods = {key: s.method_name for key, s in saved.meta_graphs[0].signature_def.items()}
    assert methods["classify"] == "tensorflow/serving/classify"
    assert methods["serving_default"] == "tensorflow/serving/predict"


def test_evaluate_gives_all_scores_and_the_label(signatures, classifier):
    examples = [example(title="acme case", category=path) for path in classifier.categories]
    examples.append(example(title="acme case", category="Garden"))
    examples.append(example(title="acme case"))
    answer = signatures["evaluate"](examples=tf.constant(examples))
    assert answer["label"].numpy().tolist() == [0, 1, 2, -1, -1]
    assert answer["logits"].dtype == answer["scores"].dtype == tf.float32
    np.testing.assert_allclose(tf.reduce_sum(answer["scores"], axis=1), np.ones(5), atol=1e-5)
    transformed = signatures["transform_features"](examples=tf.constant(examples))
    np.testing.assert_array_equal(transformed["label"], answer["label"])


def test_invalid_utf8_gets_finite_scores(signatures):
    scores = signatures["serving_default"](title=tf.constant([b"\xff\xfe case", b"\xc3"]))["scores"]
    assert np.isfinite(scores).all()


def test_empty_batch_gives_an_empty_answer(signatures):
    answer = signatures["serving_default"](title=tf.constant([], tf.string))
    assert answer["scores"].shape == (0, 2)


def test_rows_do_not_influence_each_other(signatures):
    together = signatures["serving_default"](title=tf.constant(TEXTS))["scores"]
    alone = signatures["serving_default"](title=tf.constant(TEXTS[:1]))["scores"]
    np.testing.assert_allclose(together[:1], alone, atol=1e-5)


def test_settings_lie_beside_the_model(folder, classifier):
    assert Settings.load(folder / "assets.extra" / "settings.yaml") == classifier.settings


def test_manifest_covers_every_file_and_was_written_last(folder):
    assert check_manifest(folder)
    manifest = Manifest.read(folder)
    assert manifest.unlisted(folder) == []
    assert {
        "saved_model.pb",
        "variables/variables.index",
        "assets.extra/settings.yaml",
        "assets.extra/tf_serving_warmup_requests",
    } <= set(manifest.files)


def test_metrics_lie_beside_the_model_and_in_the_manifest(classifier, tmp_path):
    classifier.export(tmp_path / "1", metrics={"test": {"accuracy": 0.5}})
    assert (tmp_path / "1/assets.extra/metrics.json").read_text() == (
        '{\n  "test": {\n    "accuracy": 0.5\n  }\n}'
    )
    assert check_manifest(tmp_path / "1")


def test_model_appears_whole_and_replaces_an_older_one(classifier, tmp_path):
    folder, over, seen = tmp_path / "1", threading.Event(), set()

    def look():
        while not over.is_set():
            seen.add(tuple(sorted(p.name for p in folder.iterdir())) if folder.exists() else None)

    watcher = threading.Thread(target=look)
    watcher.start()
    classifier.export(folder)
    over.set()
    watcher.join()
    assert len(seen - {None, ()}) <= 1
    (folder / "saved_model.pb").write_bytes(b"of an older time")
    classifier.export(folder)
    assert check_manifest(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_folder_with_other_files_is_not_replaced(classifier, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="a folder of its own"):
        classifier.export(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_graph_has_only_ops_of_tensorflow_and_tensorflow_text(folder):
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    names = {f.signature.name for f in graph.library.function}
    ops = {node.op for node in nodes} - names
    # TF Serving links TensorFlow's own ops and those of tensorflow_text:ops_lib.
    text_ops = {"CaseFoldUTF8", "FastWordpieceTokenizeWithOffsets", "NormalizeUTF8"}
    assert {op for op in ops if not hasattr(tf.raw_ops, op)} <= text_ops
    assert not {op for op in ops if "PyFunc" in op}
