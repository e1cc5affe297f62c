"""What watches a training: progress, the best weights, and checkpoints to go on from."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from prodcls_tf.errors import OutputError, TrainingError
from prodcls_tf.progress import report
from prodcls_tf.training.averaging import AveragedWeights

MONITOR = "val_macro_f1"

# Looking at the loss waits for the device, which need not happen at every step.
_REPORT_EVERY = 8


class ProgressReport(tf.keras.callbacks.Callback):
    """Reports each batch, and stops a training whose loss is no longer a number.

    Args:
      epochs: epochs in all.
      steps: batches an epoch.
    """

    def __init__(self, epochs: int, steps: int) -> None:
        super().__init__()
        self._supports_tf_logs = True
        self._epochs = epochs
        self._steps = steps
        self._epoch = 0
        self._last = ""

    def on_epoch_begin(self, epoch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Reports the batch."""
        if batch % _REPORT_EVERY and batch + 1 < self._steps:
            return
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss must stay a finite number. Received {loss} in epoch "
                f"{self._epoch + 1}, batch {batch + 1}. Lower training.learning_rate, or set "
                "training.precision=float32."
            )
        detail = f"loss {loss:.3f}" + (f" · {self._last}" if self._last else "")
        self._report(batch + 1, detail)

    def on_epoch_end(self, epoch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Reports the epoch's validation figures."""
        logs = logs or {}
        self._last = f"validation macro-F1 {logs.get(MONITOR, 0.0):.3f}"
        self._report(self._steps, f"loss {logs.get('loss', 0.0):.3f} · {self._last}")

    def _report(self, done: int, detail: str) -> None:
        report(f"fine-tuning, epoch {self._epoch + 1} of {self._epochs}", done, self._steps, detail)


class Checkpoints(tf.keras.callbacks.Callback):
    """Keeps the weights of the best epoch, stops when none gets better, and survives a kill.

    After each epoch the weights, the optimizer and the epoch's number are written; a training
    that begins in the same folder goes on after the last epoch that was written. What is measured
    on validation rows is the running average of the weights; at the end the model has the average
    of the epoch with the best validation macro-F1.

    Args:
      folder: where to write; None for a temporary folder that goes with the training.
      patience: epochs without a better one after which training stops.
      keep_average: share of the running average that each step keeps; 0 for no averaging.
      training: digest of rows and settings; checkpoints of another one are refused.

    Example:
      >>> checkpoints = Checkpoints(None, patience=2)  # doctest: +SKIP
      >>> first = checkpoints.restore(model)  # doctest: +SKIP
      >>> model.fit(data, initial_epoch=first, callbacks=[checkpoints])  # doctest: +SKIP
    """

    def __init__(
        self, folder: Optional[Path], patience: int, keep_average: float, training: str = ""
    ) -> None:
        super().__init__()
        self._temporary: Optional[tempfile.TemporaryDirectory[str]] = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory()
            folder = Path(self._temporary.name)
        self._folder = folder
        self._patience = patience
        self._keep_average = keep_average
        self._training = training
        self._averages = AveragedWeights([], 0.0)
        self._manager: Optional[tf.train.CheckpointManager] = None
        self._checkpoint: Optional[tf.train.Checkpoint] = None
        self.best_epoch = 0
        self.best_score = -math.inf
        self.history: list[dict[str, float]] = []

    def restore(self, model: tf.keras.Model) -> int:
        """Takes up the last epoch that was written, if there is one.

        Args:
          model: compiled and built; gets its weights and its optimizer's state.

        Returns:
          The number of epochs that are done.

        Raises:
          OutputError: the folder cannot be written.
          TrainingError: it holds another training.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"Checkpoints need a folder that can be written. Received {self._folder}: "
                f"{error.strerror}. Name another output folder."
            ) from None
        model.optimizer.build(model.trainable_variables)
        self._averages = AveragedWeights(model.trainable_variables, self._keep_average)
        self._checkpoint = tf.train.Checkpoint(
            model=model, optimizer=model.optimizer, averages=self._averages
        )
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(self._folder / "epochs"), max_to_keep=2
        )
        if not self._state.is_file():
            return 0
        state = json.loads(self._state.read_text(encoding="utf-8"))
        if state["training"] != self._training:
            raise TrainingError(
                "Checkpoints belong to one training. Received a folder with those of another, on "
                f"other rows or with other settings: {self._folder}. Name another folder, or "
                "delete this one to train anew."
            )
        # By its name, not the latest: a kill may have come between that one and its state.
        self._checkpoint.restore(str(self._folder / "epochs" / state["epoch"])).expect_partial()
        self.history = state["history"]
        self.best_epoch = state["best_epoch"]
        self.best_score = state["best_score"]
        return len(self.history)

    def on_train_batch_end(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Takes the step into the average."""
        self._averages.update()

    def on_test_begin(self, logs: Optional[dict[str, Any]] = None) -> None:
        """Puts the average in the weights' place while validation rows are measured."""
        self._averages.swap()

    def on_epoch_end(self, epoch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Writes the epoch, and its average apart if it is the best so far."""
        figures = {name: float(value) for name, value in (logs or {}).items()}
        self.history.append(figures)
        if figures[MONITOR] > self.best_score:
            self.best_epoch, self.best_score = epoch, figures[MONITOR]
            self._write_best()
        self._averages.swap()
        assert self._manager is not None
        self._write_state(Path(self._manager.save(checkpoint_number=epoch + 1)).name)
        if epoch - self.best_epoch >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Optional[dict[str, Any]] = None) -> None:
        """Gives the model the best epoch's weights."""
        if self.history:
            # Not Keras's own file of weights: reading that fails for a model on several devices.
            with np.load(self._best) as arrays:
                self.model.set_weights([arrays[name] for name in arrays.files])
        if self._temporary is not None:
            self._temporary.cleanup()

    @property
    def _best(self) -> Path:
        return self._folder / "best.npz"

    @property
    def _state(self) -> Path:
        return self._folder / "state.json"

    def _write_best(self) -> None:
        # Written aside and renamed, so that a kill leaves the earlier file whole.
        part = self._best.with_name("part.npz")
        np.savez(part, *self.model.get_weights())
        part.replace(self._best)

    def _write_state(self, epoch: str) -> None:
        state = {
            "training": self._training,
            "epoch": epoch,
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
        }
        part = self._state.with_suffix(".part")
        part.write_text(json.dumps(state), encoding="utf-8")
        part.replace(self._state)
