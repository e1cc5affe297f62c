"""A run of Weights & Biases: opened, filled, and closed within bounded time."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np
import psutil

from prodcls_tf.errors import InputError, OutputError, TrackingError
from prodcls_tf.settings import Settings
from prodcls_tf.training.wandb_package import check_wandb, import_wandb

_logger = logging.getLogger(__name__)

# The package's own name for it.
WANDB_FOLDER = "wandb"

# Seconds for a server's first answer, and for what is left to send at the end. By itself wandb
# would try again for hours, and an unreachable server would hold the pipeline up.
_START_PATIENCE = 30.0
_END_PATIENCE = 60.0
_KILL_PATIENCE = 5.0

# What the trained weights depend on; options of runners may hold what is nobody's business.
_CONFIG = {"data", "encoder", "head", "wide", "training"}

# wandb has a process of its own that sends; this is its name.
_SENDER = "wandb-core"


@contextlib.contextmanager
def tracked_by_wandb(settings: Settings, log_dir: Optional[Path]) -> Iterator[Optional[WandbRun]]:
    """Opens a run for a training and closes it at the end, as failed where there is an error.

    Args:
      settings: all of them; those that the trained weights depend on become the run's config.
      log_dir: the run's files go to its folder `wandb`.

    Yields:
      The run; None where the settings name no project.

    Raises:
      InputError: there is no log folder.
      OutputError: it cannot be written.
      TrackingError: the package or the key is missing, or the server does not take the run.

    Example:
      >>> with tracked_by_wandb(Settings(), None) as run:
      ...     print(run)
      None
    """
    if not settings.wandb.project:
        yield None
        return
    check_wandb(settings.wandb)
    run = WandbRun(settings, _folder(log_dir))
    try:
        yield run
    except BaseException:
        run.close(exit_code=1)
        raise
    run.close()


class WandbRun:
    """What a training tells Weights & Biases.

    That is settings, figures, and pictures with the names of categories; wandb adds its version and
    that of Python. No product text is among it, and what wandb would gather by itself is turned
    off: terminal, code, repository, packages, command line, machine.

    Once it is open, no training fails for it: what wandb cannot take is logged, once, and left out.

    Args:
      settings: all of them.
      folder: exists; the run's files go to its folder `wandb`.

    Raises:
      TrackingError: the server does not take the run.

    Example:
      >>> run = WandbRun(settings, Path("logs"))  # doctest: +SKIP
      >>> run.add_epoch(0, {"loss": 0.4, "val_macro_f1": 0.8})  # doctest: +SKIP
      >>> run.close()  # doctest: +SKIP
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._lost = False
        try:
            self._run = _open(settings, folder)
        except Exception as error:
            _end_sender()
            raise TrackingError(
                "Weights & Biases must take the run before a training begins. Received for "
                f"wandb.project={settings.wandb.project}: {_first_sentence(error)} Check the key "
                "and the network, or use wandb.mode=offline and send the run later with "
                "`wandb sync`."
            ) from error
        for axis in ("epoch", "step"):
            self._try(self._run.define_metric, axis, hidden=True)
            self._try(self._run.define_metric, f"{axis}/*", step_metric=axis)

    def add_epoch(self, epoch: int, figures: Mapping[str, Any]) -> None:
        """Adds a point to the curves over epochs.

        Args:
          epoch: its number, from 0.
          figures: by name; those of validation rows begin with `val_`.
        """
        self._add("epoch", epoch + 1, figures)

    def add_step(self, step: int, figures: Mapping[str, float]) -> None:
        """Adds a point to the curves over steps.

        Args:
          step: steps done.
          figures: by name.
        """
        self._add("step", step, figures)

    def add_end(
        self,
        metrics: Mapping[str, Mapping[str, float]],
        baseline: Mapping[str, Mapping[str, float]],
        pictures: Mapping[str, np.ndarray],
    ) -> None:
        """Adds what the finished model does.

        Args:
          metrics: by split, figures by name.
          baseline: the same of the untouched encoder.
          pictures: by name, uint8 [height, width, 4].
        """
        wandb = import_wandb()
        for kind, figures in (("final", metrics), ("baseline", baseline)):
            summary = {
                f"{kind}/{split}/{name}": float(value)
                for split, of_split in figures.items()
                for name, value in of_split.items()
            }
            self._try(self._run.summary.update, summary)
        self._try(
            lambda: self._run.log({name: wandb.Image(image) for name, image in pictures.items()})
        )

    def close(self, exit_code: int = 0) -> None:
        """Sends what is left, for a minute at most; what was not sent by then stays on disk.

        Args:
          exit_code: of the training, 0 if it went well.
        """
        # In a thread, since wandb would wait for an unreachable server for hours.
        ending = threading.Thread(
            target=self._try, args=(self._run.finish,), kwargs={"exit_code": exit_code}, daemon=True
        )
        ending.start()
        try:
            ending.join(_END_PATIENCE)
        finally:
            if ending.is_alive():
                self._lose(f"no answer within {_END_PATIENCE:.0f} seconds")
            if self._lost:
                _end_sender()

    def _add(self, axis: str, place: int, figures: Mapping[str, Any]) -> None:
        point = {f"{axis}/{name}": float(value) for name, value in figures.items()}
        self._try(self._run.log, {axis: place, **point})

    def _try(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        if self._lost:
            return
        try:
            call(*arguments, **named)
        except Exception as error:
            # Of any kind: where wandb's own process has died, these are OSErrors.
            self._lose(_first_sentence(error))

    def _lose(self, reason: str) -> None:
        if self._lost:
            return
        self._lost = True
        _logger.warning(
            "Weights & Biases did not take all of the run (%s). `wandb sync %s` sends it again.",
            reason,
            Path(self._run.dir).parent,
        )


def _open(settings: Settings, folder: Path) -> Any:
    wandb, asked = import_wandb(), settings.wandb
    return wandb.init(
        config=settings.model_dump(mode="json", include=_CONFIG),
        # A run of the caller's own in the same process goes on beside it.
        reinit="create_new",
        settings=wandb.Settings(
            mode=asked.mode,
            project=asked.project,
            entity=asked.entity or None,
            run_group=asked.group or None,
            run_name=asked.name or None,
            root_dir=str(folder),
            init_timeout=_START_PATIENCE,
            # Nothing on the terminal, and nothing of it sent: libraries print texts there.
            silent=True,
            quiet=True,
            console="off",
            # Nothing that was not asked for: code, repository, packages, machine, and its name.
            save_code=False,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            host="-",
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
            # A link would be copied as a second run.
            symlink=False,
        ),
    )


def _folder(log_dir: Optional[Path]) -> Path:
    if log_dir is None:
        raise InputError(
            "A run of Weights & Biases needs a folder for its files. Received no log_dir. Give "
            "one, or leave wandb.project empty."
        )
    try:
        # wandb itself would go to the system's temporary folder, where nobody looks for it.
        (log_dir / WANDB_FOLDER).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"A run of Weights & Biases needs a folder that can be written. Received {log_dir}: "
            f"{error.strerror}. Check permissions and free space, or leave wandb.project empty."
        ) from None
    return log_dir.absolute()


def _end_sender() -> None:
    """Ends wandb's own process, for which Python's exit would wait as long as it keeps trying."""
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if process.name() == _SENDER:
                process.kill()
                process.wait(_KILL_PATIENCE)
    # Takes back what wandb wants done at Python's exit. It finds its process gone and complains,
    # or waits for what it had asked of it.
    taking_back = threading.Thread(target=_tear_down, daemon=True)
    taking_back.start()
    taking_back.join(_KILL_PATIENCE)


def _tear_down() -> None:
    with contextlib.suppress(BaseException):
        import_wandb().teardown()


def _first_sentence(error: Exception) -> str:
    """What happened; after that, wandb gives advice that is not ours."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{lines[0].partition('. ')[0].rstrip('.')}."
