"""A GraphDef into a graph, while requests go on being answered.

TensorFlow imports a graph without letting go of the GIL: 150 ms for the real model, in which no
request gets on. Nearly all of that goes into the shapes of what functions return, once for each
call of each; nobody asks for these shapes. So the nodes come first, when there are no functions to
look into yet, then the functions one by one, and only those that a signature comes to. They are
handed to TensorFlow as they are, without Python's own copy of each: 16 to 21 ms for the largest.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.python.client import pywrap_tf_session as c_api
from tensorflow.python.framework import op_def_registry

from serving.server.background import give_way
from serving.server.status import Code, ServingError


def import_graph(meta: MetaGraphDef, graph: tf.Graph) -> None:
    """Imports a SavedModel's graph.

    Args:
      meta: with the graph in it.
      graph: empty.

    Raises:
      ServingError: NOT_FOUND, an operation is not known here.
      Exception: whatever TensorFlow raises for a graph that is broken.
    """
    whole = meta.graph_def
    functions = {function.signature.name: function for function in whole.library.function}
    used = _used(whole.node, functions)
    bodies = [functions[name].node_def for name in used]
    operations = {node.op for nodes in (whole.node, *bodies) for node in nodes}
    producer = meta.meta_info_def.stripped_op_list
    with graph.as_default():
        if operations & functions.keys() or whole.library.gradient:
            # TensorFlow 1 calls a function by an operation of its name, which must be known before.
            tf.graph_util.import_graph_def(whole, name="", producer_op_list=producer)
            return
        _check_known(operations)
        give_way()
        nodes = GraphDef(node=whole.node, versions=whole.versions)
        tf.graph_util.import_graph_def(nodes, name="", producer_op_list=producer)
        for name in used:
            give_way()
            _add_function(functions[name], graph)


def _add_function(function: FunctionDef, graph: tf.Graph) -> None:
    """Adds a function that nodes of the graph call by name; Python is told nothing of it."""
    known = c_api.TF_FunctionImportFunctionDef(function.SerializeToString())
    try:
        with graph._c_graph.get() as pointer:
            c_api.TF_GraphCopyFunction(pointer, known, None)
    finally:
        c_api.TF_DeleteFunction(known)


def _used(nodes: Iterable[NodeDef], functions: dict[str, FunctionDef]) -> list[str]:
    """The functions that nodes call, and those that these call in turn."""
    found: dict[str, None] = {}
    waiting = list(_called(nodes))
    while waiting:
        name = waiting.pop()
        if name in functions and name not in found:
            found[name] = None
            waiting.extend(_called(functions[name].node_def))
    return list(found)


def _called(nodes: Iterable[NodeDef]) -> Iterator[str]:
    for node in nodes:
        if not _may_call(node.op):
            continue
        for value in node.attr.values():
            kind = value.WhichOneof("value")
            if kind == "func":
                yield value.func.name
            elif kind == "list":
                yield from (function.name for function in value.list.func)


@functools.cache
def _may_call(operation: str) -> bool:
    definition = op_def_registry.get(operation)
    return definition is not None and any("func" in attr.type for attr in definition.attr)


def _check_known(operations: Iterable[str]) -> None:
    """Finds operations that would only be missed when a function is first called."""
    for operation in sorted(operations):
        if op_def_registry.get(operation) is None:
            raise ServingError(
                Code.NOT_FOUND,
                f"Op type not registered '{operation}'. A model may have operations of TensorFlow "
                "2.16 and TensorFlow Text alone.",
            )
