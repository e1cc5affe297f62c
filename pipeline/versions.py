"""Which of a model's pushed versions serves."""

from __future__ import annotations

from pathlib import Path

from prodcls_tf.release.order import read_order
from prodcls_tf.release.versions import complete_versions


def newest_version(serving: Path) -> Path | None:
    """Returns the newest complete version in a model's folder, None where there is none."""
    complete = complete_versions(serving)
    return serving / str(complete[-1]) if complete else None


def serving_version(serving: Path) -> Path | None:
    """Returns the version that answers requests which name none, None where there is none.

    Args:
      serving: folder of the versions.

    Returns:
      Its folder: the newest, or what `models.config` beside the folder says.

    Raises:
      SettingsError: that file cannot be read.
    """
    wanted = read_order(serving).wanted(complete_versions(serving))
    return serving / str(wanted[0]) if wanted else None


def number(version: Path) -> int:
    """Returns a version's number: its folder's name."""
    return int(version.name)
