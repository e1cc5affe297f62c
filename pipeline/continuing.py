"""What a run takes over from the last one in its folder. Imports no TFX."""

from __future__ import annotations

from pathlib import Path

from pipeline.out_folder import OutFolder
from pipeline.summary import Summary
from pipeline.versions import serving_version
from prodcls_tf.errors import ProdclsError
from prodcls_tf.settings import Settings

_WARM_START = "training.warm_start"


def is_new(settings: Settings, fingerprint: str, out: Path) -> bool:
    """Says whether a run has anything to do that the last one has not done.

    Args:
      settings: of the run; what it would go on from plays no part.
      fingerprint: digest of the product files.
      out: the output folder.

    Example:
      >>> is_new(Settings(), "a3b0", Path("no/such/folder"))
      True
    """
    return _last(settings, fingerprint, out) is None


def with_warm_start(settings: Settings, fingerprint: str, out: Path) -> Settings:
    """Has a training go on from the model that serves.

    Where the last run had the same files and settings it is what that one went on from, so that
    the same command finds its own results again.

    Args:
      settings: of the run.
      fingerprint: digest of the product files.
      out: the output folder.

    Returns:
      The settings; as they are where no model serves yet.

    Raises:
      SettingsError: `models.config` cannot be read.
    """
    last = _last(settings, fingerprint, out)
    if last is not None:
        return last
    version = serving_version(OutFolder(out.absolute()).serving / settings.push.model_name)
    if version is None:
        return settings
    return settings.with_values({_WARM_START: str(version)})


def _last(settings: Settings, fingerprint: str, out: Path) -> Settings | None:
    """The settings of the last run, if it ended and had the same files and settings."""
    folder = OutFolder(out)
    try:
        # A run removes the summary when it starts, and writes it when it ends.
        summary = Summary.model_validate_json(folder.summary.read_text(encoding="utf-8"))
        last = Settings.stored(folder.settings)
    except (OSError, ValueError, ProdclsError):
        return None
    same = summary.fingerprint == fingerprint and _afresh(last) == _afresh(settings)
    return last if same else None


def _afresh(settings: Settings) -> Settings:
    return settings.with_values({_WARM_START: ""})
