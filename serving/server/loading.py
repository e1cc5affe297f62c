"""A SavedModel into a session, by the steps of TF Serving's loader and with the checks it lacks.

TensorFlow's own `tf.compat.v1.saved_model.load` would do, but for three things: it loads a version
whose variables are missing, it makes a Python object of each variable, and it is deprecated.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import tensorflow as tf

# Registers the ops of the tokenizer that is part of the graph.
import tensorflow_text  # noqa: F401
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.config_pb2 import RunOptions
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef
from tensorflow.python.framework.ops import dismantle_graph

from serving.server.background import in_background, requests_come_first
from serving.server.graph_file import StoredGraph, read_graphs
from serving.server.importing import import_graph
from serving.server.status import Code, ServingError, from_tensorflow

GRAPH = "saved_model.pb"
VARIABLES = Path("variables", "variables")
_ASSETS = "assets"

# Key of the signature that holds TensorFlow 2's initializer, and those of TensorFlow 1's.
_INITIALIZER = "__saved_model_init_op"
_INITIALIZER_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")

_VARIABLE_OPS = frozenset({"VarHandleOp", "VariableV2", "Variable"})
# The checkpoint's description of the Python objects it came from. A session restores all variables
# and so has their checksums compared; this is the one entry that it does not read.
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def load_session(
    folder: Path, tags: Sequence[str], config: tf.compat.v1.ConfigProto
) -> tuple[tf.compat.v1.Session, dict[str, SignatureDef]]:
    """Loads a version into a session of its own.

    Args:
      folder: the version's folder.
      tags: of the graph in it.
      config: how the session may use the machine.

    Returns:
      The session with everything restored and initialized, and what it can be asked, by name.

    Raises:
      ServingError: NOT_FOUND, a file or the graph is missing; DATA_LOSS, a file is truncated or
        corrupt; else the code that TensorFlow gave.
    """
    stored = _stored_graph(folder, tags)
    meta = stored.meta
    _check_variables(meta, folder)
    graph, session = tf.Graph(), None
    try:
        import_graph(stored, graph)
        session = tf.compat.v1.Session(graph=graph, config=config)
        options = run_options()
        in_background(lambda: _fill(session, meta, folder, options))
    except Exception as error:  # import alone raises half a dozen kinds
        close_session(session, graph)
        raise _refused(folder, error) from error
    # Copies, since a part of a message keeps the whole of it in memory.
    signatures = {key: SignatureDef() for key in meta.signature_def}
    for key, signature in signatures.items():
        signature.CopyFrom(meta.signature_def[key])
    return session, signatures


def close_session(session: Optional[tf.compat.v1.Session], graph: tf.Graph) -> None:
    """Frees what a version took, and gives the memory back to the system.

    Args:
      session: what ran in it is cancelled; None if there is none yet.
      graph: is of no use afterwards.
    """
    if session is not None:
        session.close()
    # A graph is full of reference cycles. Undoing them frees it now, without a full garbage
    # collection that would hold up every request for a third of a second.
    dismantle_graph(graph)


def trim_memory() -> None:
    """Gives freed memory back to the system, where the C library can; glibc keeps it otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def run_options(timeout_ms: int = 0) -> Optional[RunOptions]:
    """Returns how a session is to run something for the thread that asks.

    Args:
      timeout_ms: after which it stops; 0 for no limit.

    Returns:
      The options; None for TensorFlow's defaults.
    """
    behind = requests_come_first()
    if not timeout_ms and not behind:
        return None
    # -1 stands for the thread that asks.
    return RunOptions(timeout_in_ms=timeout_ms, inter_op_thread_pool=-1 if behind else 0)


def _stored_graph(folder: Path, tags: Sequence[str]) -> StoredGraph:
    try:
        graphs = list(read_graphs((folder / GRAPH).read_bytes()))
    except FileNotFoundError as error:
        raise ServingError(
            Code.NOT_FOUND,
            f"Could not find SavedModel .pb at supplied path: {folder}. Push it anew.",
        ) from error
    except OSError as error:
        raise ServingError(
            Code.PERMISSION_DENIED, f"{folder / GRAPH} must be readable. Received: {error}."
        ) from error
    except DecodeError as error:
        raise ServingError(
            Code.DATA_LOSS, f"Can't parse {folder / GRAPH} as binary proto. Push that version anew."
        ) from error
    for stored in graphs:
        if set(stored.meta.meta_info_def.tags) == set(tags):
            return stored
    found = [list(stored.meta.meta_info_def.tags) for stored in graphs]
    raise ServingError(
        Code.NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. Received "
        f"{folder} with {found or 'no graph: the file may be cut off'}.",
    )


def _check_variables(meta: MetaGraphDef, folder: Path) -> None:
    """Finds missing and truncated variables, which a session restores as nothing at all."""
    prefix = folder / VARIABLES
    if not prefix.with_name("variables.index").is_file():
        if any(node.op in _VARIABLE_OPS for node in meta.graph_def.node):
            raise ServingError(
                Code.NOT_FOUND,
                f"A SavedModel must hold its variables. Received {folder} without "
                "variables/variables.index: it was not written to its end. Push it anew.",
            )
        return
    try:
        checkpoint = tf.train.load_checkpoint(str(prefix))
        if checkpoint.has_tensor(_OBJECT_GRAPH):
            checkpoint.get_tensor(_OBJECT_GRAPH)
    except Exception as error:  # a RuntimeError or an OpError, as the file's damage has it
        raise _refused(folder, error) from error


def _fill(
    session: tf.compat.v1.Session,
    meta: MetaGraphDef,
    folder: Path,
    options: Optional[RunOptions],
) -> None:
    _restore(session, meta, folder, options)
    _initialize(session, meta, folder, options)


def _restore(
    session: tf.compat.v1.Session,
    meta: MetaGraphDef,
    folder: Path,
    options: Optional[RunOptions],
) -> None:
    saver = meta.saver_def
    if saver.restore_op_name and (folder / VARIABLES).with_name("variables.index").is_file():
        file = {saver.filename_tensor_name: str(folder / VARIABLES)}
        session.run(saver.restore_op_name, file, options)


def _initialize(
    session: tf.compat.v1.Session,
    meta: MetaGraphDef,
    folder: Path,
    options: Optional[RunOptions],
) -> None:
    """Fills lookup tables and the like."""
    assets = {
        asset.tensor_info.name: str(folder / _ASSETS / asset.filename)
        for asset in meta.asset_file_def
    }
    if _INITIALIZER in meta.signature_def:
        operation = meta.signature_def[_INITIALIZER].outputs[_INITIALIZER].name
        session.run(operation, assets, options)
        return
    for name in _INITIALIZER_COLLECTIONS:
        if meta.collection_def[name].node_list.value:
            session.run(meta.collection_def[name].node_list.value[0], assets, options)
            return


def _refused(folder: Path, error: Exception) -> ServingError:
    # A session adds pages of Python to a message; the error it came from is underneath.
    plain = error.__context__ if isinstance(error.__context__, tf.errors.OpError) else error
    code = error.code if isinstance(error, ServingError) else from_tensorflow(plain).code
    if code in (Code.UNKNOWN, Code.INTERNAL):
        # Damaged graphs and checkpoints come as Python errors of any kind.
        code = Code.DATA_LOSS
    message = str(getattr(plain, "message", plain)) or type(plain).__name__
    reason = message.splitlines()[0].rstrip(". ")
    return ServingError(
        code, f"The SavedModel in {folder} cannot be loaded: {reason}. Push that version anew."
    )
