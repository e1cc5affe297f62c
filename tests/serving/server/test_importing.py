from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.python.framework.function import Defun

from serving.server.graph_file import StoredGraph, read_graphs
from serving.server.importing import import_graph
from serving.server.servable import Servable, ServableId
from serving.server.status import Code, ServingError

VECTOR = tf.TensorSpec([None], tf.float32, name="x")


class TwoFunctions(tf.Module):
    """Has a function that its signature calls, and one that it does not."""

    def __init__(self) -> None:
        super().__init__()
        self.used = tf.function(
            lambda x: tf.nest.map_structure(tf.sin, x), input_signature=[VECTOR]
        )
        self.unused = tf.function(tf.cos, input_signature=[VECTOR])

    def answer(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": self.used(x)}


def read(folder: Path) -> StoredGraph:
    (stored,) = read_graphs((folder / "saved_model.pb").read_bytes())
    return stored


def ask(folder: Path) -> float:
    servable = Servable.load(ServableId("m", 1), folder)
    signature = servable.signatures["serving_default"]
    (answer,) = servable.run(signature, {"x": np.ones(1, np.float32)}, ["y"])["y"]
    servable.close()
    return answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "1"
    module = TwoFunctions()
    answer = tf.function(module.answer).get_concrete_function(VECTOR)
    tf.saved_model.save(module, str(path), signatures=answer)
    return path


def test_functions_that_nothing_calls_are_left_out(folder):
    graph = tf.Graph()
    import_graph(read(folder), graph)
    kept = {
        node.op for function in graph.as_graph_def().library.function for node in function.node_def
    }
    assert "Sin" in kept and "Cos" not in kept
    assert ask(folder) == pytest.approx(np.sin(1))


def test_a_function_that_is_called_by_an_operation_of_its_name_is_kept(tmp_path):
    @Defun(tf.float32, func_name="twice")
    def twice(x):
        return x * 2

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        v1.saved_model.simple_save(session, str(tmp_path / "1"), {"x": x}, {"y": twice(x)})
    assert "twice" in {node.op for node in read(tmp_path / "1").meta.graph_def.node}
    assert ask(tmp_path / "1") == 2


def test_loops_and_branches_of_tensorflow_1_are_kept(tmp_path):
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.disable_control_flow_v2()
        x = v1.placeholder(tf.float32, [None], "x")
        y = v1.while_loop(lambda y: tf.reduce_sum(y) < 100, lambda y: y * 2, [x])
        v1.saved_model.simple_save(session, str(tmp_path / "1"), {"x": x}, {"y": y})
        v1.enable_control_flow_v2()
    assert ask(tmp_path / "1") == 128


def test_an_operation_that_is_not_known_is_named(folder):
    meta, stored = read(folder)
    functions = list(map(FunctionDef.FromString, stored))
    for function in functions:
        for node in function.node_def:
            if node.op == "Sin":
                node.op = "Sinus"
    unknown = StoredGraph(meta, [function.SerializeToString() for function in functions])
    with pytest.raises(ServingError, match="Op type not registered 'Sinus'") as caught:
        import_graph(unknown, tf.Graph())
    assert caught.value.code is Code.NOT_FOUND
