"""Curves over the steps of a training: loss, rate, gradient norm, throughput and waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Optional

import tensorflow as tf

from prodcls_tf.training.optimizer import gradient_norm_of

# Looking at a figure waits for the device, so it is done for every so many steps; a long training
# has wider gaps, so that its logs stay small.
_EVERY = 20
_MOST_POINTS = 1_000


class InputClock:
    """Measures how long the taker of a dataset's batches waits for them.

    Two clocks lie around the dataset: the first is read when a batch is asked for, the second when
    it has come. What lies between is counted, and nothing else, whatever is prefetched below. On
    one device the taker is the training step itself. On several, TensorFlow's feeder stands between
    and asks ahead: it waits for about nothing as long as the input keeps up, but where the input
    is the slower part, all its waiting counts, that during a step too.

    Attributes:
      seconds: waited in all so far.

    Example:
      >>> clock = InputClock()  # doctest: +SKIP
      >>> for batch in clock.around(dataset):  # doctest: +SKIP
      ...     pass
      >>> clock.seconds  # doctest: +SKIP
      0.012
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._asked = 0.0

    def around(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the same batches, timed."""
        # A zip asks its datasets in turn, in the thread of who asks it.
        asked, came = _calling(self._begin), _calling(self._end)
        timed = tf.data.Dataset.zip((asked, dataset, came)).map(_middle)
        options = tf.data.Options()
        # Either would take batches ahead in a thread of its own, and that thread would be timed.
        options.experimental_optimization.inject_prefetch = False
        options.experimental_optimization.map_parallelization = False
        return timed.with_options(options)

    def _begin(self) -> bool:
        self._asked = time.perf_counter()
        return True

    def _end(self) -> bool:
        self.seconds += time.perf_counter() - self._asked
        return True


class StepCurves(tf.keras.callbacks.Callback):
    """Writes a point of each curve every 20 steps, or at the end of an epoch with fewer.

    The curves, all over the number of steps done:

    - `step/loss`: mean of the epoch so far.
    - `step/learning_rate`: of the top layer, in the step just done.
    - `step/gradient_norm`: global norm before clipping, in the step just done.
    - `step/examples_per_second`: rows trained since the last point over the time it took;
      validation and the first step of a training, which traces the graph, are left out. A step
      counts as the epoch's mean number of rows.
    - `step/input_wait_share`: share of that time in which batches were waited for, see
      `InputClock`. Near 0 the input keeps up; near 1 the device starves.

    It writes to the default summary writer: put it after Keras's `TensorBoard` callback, which sets
    that one to its `train` run.

    Args:
      rows: training rows, an epoch.
      steps: batches an epoch.
      epochs: epochs in all; trainings of more than 20,000 steps get fewer points.
      clock: around the batches.
      also: gets each point, too: the steps done, and the figures by name; None for nobody.
    """

    def __init__(
        self,
        rows: int,
        steps: int,
        epochs: int,
        clock: InputClock,
        also: Optional[Callable[[int, Mapping[str, float]], None]] = None,
    ) -> None:
        super().__init__()
        self._supports_tf_logs = True
        self._rows_a_step = rows / steps
        self._every = min(steps, max(_EVERY, steps * epochs // _MOST_POINTS))
        self._clock = clock
        self._also = also
        self._window: Optional[_Window] = None
        self._traced = False

    def on_epoch_begin(self, epoch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Begins to measure anew: validation has come between."""
        if self._traced:
            self._window = _Window(0, self._clock.seconds)

    def on_train_batch_end(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Writes a point where one is due."""
        if not self._traced:
            self._traced = True
            self._window = _Window(batch + 1, self._clock.seconds)
        if (batch + 1) % self._every:
            return
        optimizer = self.model.optimizer
        # Read first: this waits for the steps that are under way, so that the time is theirs.
        figures = {
            "gradient_norm": gradient_norm_of(optimizer),
            "loss": float((logs or {}).get("loss", 0.0)),
            "learning_rate": float(optimizer.learning_rate),
        }
        assert self._window is not None
        done = batch + 1 - self._window.first
        if done:
            took = max(time.perf_counter() - self._window.begun, 1e-9)
            waited = self._clock.seconds - self._window.waited
            figures["examples_per_second"] = done * self._rows_a_step / took
            figures["input_wait_share"] = min(waited / took, 1.0)
        with tf.summary.record_if(True):
            for name, value in figures.items():
                tf.summary.scalar(f"step/{name}", value, step=optimizer.iterations)
        if self._also is not None:
            self._also(int(optimizer.iterations), figures)
        self._window = _Window(batch + 1, self._clock.seconds)


class _Window:
    """What was so when a stretch of steps began: its first batch, the time, the waiting so far."""

    def __init__(self, first: int, waited: float) -> None:
        self.first = first
        self.waited = waited
        self.begun = time.perf_counter()


@tf.autograph.experimental.do_not_convert
def _middle(_asked: tf.Tensor, batch: Any, _came: tf.Tensor) -> Any:
    return batch


def _calling(function: Callable[[], bool]) -> tf.data.Dataset:
    """An endless dataset that calls a function for each element it is asked for."""

    @tf.autograph.experimental.do_not_convert
    def call(_: tf.Tensor) -> tf.Tensor:
        return tf.numpy_function(function, [], tf.bool)

    return tf.data.Dataset.range(tf.int64.max).map(call)
