"""A GraphDef into a graph, while requests go on being answered.

TensorFlow imports a graph without letting go of the GIL: 150 ms for the real model, in which no
request gets on. Nearly all of that goes into the shapes of what functions return, once for each
call of each; nobody asks for these shapes. So the nodes come first, when there are no functions to
look into yet, then the functions one by one, and only those that a signature comes to. They are
handed to TensorFlow as they are stored, without Python's own copy of each. With the demo's model
nothing of it takes more than 12 ms.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.client import pywrap_tf_session as c_api
from tensorflow.python.framework import op_def_registry

from serving.server.background import give_way
from serving.server.graph_file import StoredGraph
from serving.server.status import Code, ServingError


class _Nodes(NamedTuple):
    """What the nodes of a graph or of a function come to.

    Attributes:
      operations: that they are.
      called: names that stand where functions are called.
    """

    operations: set[str]
    called: set[str]


def import_graph(stored: StoredGraph, graph: tf.Graph) -> None:
    """Imports a SavedModel's graph.

    Args:
      stored: the graph.
      graph: empty.

    Raises:
      ServingError: NOT_FOUND, an operation is not known here.
      Exception: whatever TensorFlow raises for a graph that is broken.
    """
    whole, producer = stored.meta.graph_def, stored.meta.meta_info_def.stripped_op_list
    top, definitions, bodies = _look_at(whole.node), {}, {}
    for definition in stored.functions:
        give_way()
        function = FunctionDef.FromString(definition)
        definitions[function.signature.name] = definition
        bodies[function.signature.name] = _look_at(function.node_def)
    used = _used(top, bodies)
    operations = top.operations.union(*(bodies[name].operations for name in used))
    with graph.as_default():
        if operations & bodies.keys() or whole.library.gradient:
            # TensorFlow 1 calls a function by an operation of its name, which must be known before.
            whole.library.function.extend(map(FunctionDef.FromString, stored.functions))
            tf.graph_util.import_graph_def(whole, name="", producer_op_list=producer)
            return
        _check_known(operations)
        give_way()
        nodes = GraphDef(node=whole.node, versions=whole.versions)
        tf.graph_util.import_graph_def(nodes, name="", producer_op_list=producer)
        for name in used:
            give_way()
            _add_function(definitions[name], graph)


def _add_function(definition: bytes, graph: tf.Graph) -> None:
    """Adds a function that nodes of the graph call by name; Python is told nothing of it."""
    known = c_api.TF_FunctionImportFunctionDef(definition)
    try:
        with graph._c_graph.get() as pointer:
            c_api.TF_GraphCopyFunction(pointer, known, None)
    finally:
        c_api.TF_DeleteFunction(known)


def _look_at(nodes: Iterable[NodeDef]) -> _Nodes:
    return _Nodes({node.op for node in nodes}, set(_called(nodes)))


def _used(top: _Nodes, bodies: Mapping[str, _Nodes]) -> list[str]:
    """The functions that the graph's nodes call, and those that these call in turn."""
    found: dict[str, None] = {}
    waiting = sorted(top.called)
    while waiting:
        name = waiting.pop()
        if name in bodies and name not in found:
            found[name] = None
            waiting.extend(sorted(bodies[name].called))
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
