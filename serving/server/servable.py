"""One loaded version of a model: a TensorFlow session of its own, as in TensorFlow Serving.

A session, not `tf.saved_model.load`: it is asked by the names in a SignatureDef, costs a third of
the time per call, lets go of the GIL, stops at a deadline, and frees its memory when it is closed.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.client import pywrap_tf_session

from serving.server.background import in_background
from serving.server.loading import close_session, load_session, run_options, trim_memory
from serving.server.status import Code, ServingError, from_tensorflow

# TensorFlow makes a plan for each set of inputs and outputs that is asked for, which takes seconds,
# and keeps it until the session ends. Clients choose the outputs. So all of them are computed where
# there is a plan for that, as the warm-up leaves it, and after this many sets.
_MAX_PLANS = 64

# A plan begins with the graph being rewritten. What is left out here is more than a third of all
# planning with the demo's model and makes no run faster: a second round, and in each round a way
# through another form of the graph and back, and what saves memory in training and on small GPUs.
_REWRITING = RewriterConfig(
    meta_optimizer_iterations=RewriterConfig.ONE,
    disable_tfg_optimizer=True,
    memory_optimization=RewriterConfig.NO_MEM_OPT,
)


@dataclass(frozen=True)
class ServableId:
    """A model's name and the number of one of its versions."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{{name: {self.name} version: {self.version}}}"


@dataclass(frozen=True)
class SessionOptions:
    """How sessions may use the machine. The first session of a process decides on the threads.

    Args:
      intra_op_threads: threads inside an operation; 0 for as many as there are cores.
      inter_op_threads: operations that run at a time; 0 for as many as there are cores, -1 for
        one after the other in the thread that asks.
      gpu_memory_fraction: share of a GPU's memory that is taken at once; 0 for nearly all of it.
      allow_growth: whether memory of a GPU is taken only when it is needed.
    """

    intra_op_threads: int = 0
    inter_op_threads: int = 0
    gpu_memory_fraction: float = 0.0
    allow_growth: bool = False

    def to_proto(self) -> tf.compat.v1.ConfigProto:
        """Returns the same as TensorFlow takes it."""
        return tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=self.intra_op_threads,
            inter_op_parallelism_threads=self.inter_op_threads,
            # An operation without a kernel for the GPU, as those on strings are, runs on the CPU.
            allow_soft_placement=True,
            gpu_options=tf.compat.v1.GPUOptions(
                per_process_gpu_memory_fraction=self.gpu_memory_fraction,
                allow_growth=self.allow_growth,
            ),
            graph_options=tf.compat.v1.GraphOptions(rewrite_options=_REWRITING),
            # An idle thread would look for work without a pause, for a while, on the core that gRPC
            # needs to hand out the answer.
            experimental=tf.compat.v1.ConfigProto.Experimental(disable_thread_spinning=True),
        )


class Servable:
    """A loaded version, made by `Servable.load`. Any number of threads may run it at a time.

    Attributes:
      id: model and version.
      folder: where it was loaded from.
      signatures: what it can be asked, by name.

    Example:
      >>> servable = Servable.load(ServableId("prodcls", 1), folder)  # doctest: +SKIP
      >>> signature = servable.signatures["serving_default"]  # doctest: +SKIP
      >>> titles = np.array([b"frying pan"], object)  # doctest: +SKIP
      >>> servable.run(signature, {"title": titles}, ["scores"])  # doctest: +SKIP
      {'scores': array([[0.97, 0.02, 0.01]], dtype=float32)}
    """

    def __init__(
        self,
        id: ServableId,  # noqa: A002
        folder: Path,
        session: tf.compat.v1.Session,
        signatures: Mapping[str, SignatureDef],
    ) -> None:
        self.id = id
        self.folder = folder
        self.signatures = signatures
        self._session: Optional[tf.compat.v1.Session] = session
        self._endpoints: dict[str, Any] = {}
        self._plans: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        id: ServableId,  # noqa: A002
        folder: Path,
        options: SessionOptions = SessionOptions(),
        tags: Sequence[str] = ("serve",),
    ) -> Servable:
        """Loads a version.

        Args:
          id: under which it will be known.
          folder: with `saved_model.pb` in it.
          options: how it may use the machine.
          tags: of the graph to load.

        Returns:
          The version, ready to run. Its first run of each kind is slow: TensorFlow plans then.

        Raises:
          ServingError: it cannot be loaded, or is incomplete.
        """
        return cls(id, folder, *load_session(folder, tags, options.to_proto()))

    def run(
        self,
        signature: SignatureDef,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        deadline: Optional[float] = None,
    ) -> dict[str, np.ndarray]:
        """Runs the graph.

        Args:
          signature: one of `signatures`.
          inputs: all of its inputs by alias; strings as object arrays of bytes.
          outputs: the aliases of the outputs that are wanted.
          deadline: on the clock of `time.monotonic`, after which TensorFlow stops; None for none.

        Returns:
          The wanted outputs, by alias.

        Raises:
          ServingError: with the code and message of TensorFlow; DEADLINE_EXCEEDED; UNAVAILABLE
            if the version is closed.
        """
        # This reference keeps the session from being freed under the run by `close`.
        session = self._session
        if session is None:
            raise ServingError(Code.UNAVAILABLE, f"Servable {self.id} was unloaded. Ask again.")
        names = {alias: signature.outputs[alias].name for alias in outputs}
        wanted = self._plan(signature, set(names.values()))
        fed = {
            self._endpoint(session, signature.inputs[alias].name): array
            for alias, array in inputs.items()
        }
        fetched = [self._endpoint(session, name) for name in wanted]
        options = _options(deadline)
        try:
            # `Session.run` would come to the same call, after five times as long.
            values = in_background(
                lambda: session._call_tf_sessionrun(options, fed, fetched, [], None)
            )
        except Exception as error:  # TensorFlow's own kinds, and those of numpy conversions
            raise from_tensorflow(error) from error
        finally:
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)
        by_name = dict(zip(wanted, values, strict=True))
        return {alias: by_name[name] for alias, name in names.items()}

    def close(self) -> None:
        """Frees the version. What still runs in it is cancelled; later runs are refused."""
        with self._lock:
            session, self._session = self._session, None
        if session is None:
            return
        self._endpoints.clear()
        close_session(session, session.graph)
        del session
        trim_memory()

    def _plan(self, signature: SignatureDef, names: set[str]) -> tuple[str, ...]:
        """The outputs to compute: those that are asked for, or all of them."""
        wanted = tuple(sorted(names))
        if wanted in self._plans:
            return wanted
        every = tuple(sorted({output.name for output in signature.outputs.values()}))
        with self._lock:
            if every in self._plans or len(self._plans) >= _MAX_PLANS:
                return every
            self._plans.add(wanted)
        return wanted

    def _endpoint(self, session: tf.compat.v1.Session, name: str) -> Any:
        """A tensor as the C API names it. There are no more of them than in the graph."""
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            try:
                endpoint = session.graph.get_tensor_by_name(name)._as_tf_output()
            except (KeyError, ValueError, TypeError) as error:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"Tensor {name}, specified in either feed_devices or fetch_devices was not "
                    "found in the Graph. Ask for a signature that takes and gives tensors.",
                ) from error
            self._endpoints[name] = endpoint
        return endpoint


def _options(deadline: Optional[float]) -> Any:
    """Run options that bear the time that is left, as the C API takes them; None for the usual."""
    timeout = 0
    if deadline is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise ServingError(Code.DEADLINE_EXCEEDED, "Deadline exceeded before the model was run")
        # In whole milliseconds, of which 0 would mean no limit; a proto field of 64 bits.
        timeout = min(math.ceil(left * 1000), 2**31)
    options = run_options(timeout)
    if options is None:
        return None
    return pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())
