"""Which versions servers are to load: the file `models.config` beside the models' folders.

It is TensorFlow Serving's own file, so that servers follow it live. Where there is none, or it
does not name a model, that model's newest version serves.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from prodcls_tf.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from tensorflow_serving.config import model_server_config_pb2 as pb

CONFIG_FILE = "models.config"

_ALL = 2**31
_HEADER = """\
# Which versions serve. Written by `prodcls models promote` and `rollback`, which keep what else
# stands here, but no comments. TensorFlow Serving and `prodcls serve` follow it while they run.
"""


@dataclass(frozen=True)
class Order:
    """Which versions of a model servers are to load.

    Args:
      newest: so many of the newest ones; 0 where only those below are wanted.
      pinned: versions that are wanted by their numbers.
      labels: version numbers by label.

    Example:
      >>> Order(newest=0, pinned=frozenset({4}), labels={"stable": 4}).wanted([3, 4, 5])
      [4]
    """

    newest: int = 1
    pinned: frozenset[int] = frozenset()
    labels: Mapping[str, int] = field(default_factory=dict)

    @property
    def follows(self) -> bool:
        """Whether a newer version is served as soon as it is pushed."""
        return self.newest > 0

    @property
    def named(self) -> frozenset[int]:
        """The versions that are named by number or label."""
        return self.pinned | frozenset(self.labels.values())

    def wanted(self, versions: Iterable[int]) -> list[int]:
        """Chooses from the versions there are, newest first.

        The first one answers requests that name neither a version nor a label.
        """
        newest_first = sorted(versions, reverse=True)
        chosen = {*newest_first[: self.newest], *self.pinned.intersection(newest_first)}
        return sorted(chosen, reverse=True)


def config_file(base: Path) -> Path:
    """Returns where the order of a model's folder stands: beside the folder."""
    return base.parent / CONFIG_FILE


def read_order(base: Path) -> Order:
    """Reads which versions of a model are to be served.

    Args:
      base: folder of the versions; its name is the model's.

    Returns:
      The order; of the newest version where nothing else is said.

    Raises:
      SettingsError: the file cannot be read.

    Example:
      >>> read_order(Path("runs/mine/serving/prodcls")).follows  # doctest: +SKIP
      True
    """
    file = config_file(base)
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Order()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(str(file), str(error)) from None
    return parse_order(text, base.name, str(file))


def follows_newest(base: Path) -> bool:
    """Says whether a model's newest version serves for certain: not where the file is damaged."""
    try:
        return read_order(base).follows
    except SettingsError:
        return False


def parse_order(text: str, name: str, source: str) -> Order:
    """Reads a model's order from the content of the file.

    Args:
      text: in protobuf's text format.
      name: of the model.
      source: where the text is from, for the message.

    Returns:
      The order; of the newest version where the model is not named.

    Raises:
      SettingsError: the text cannot be understood.
    """
    entry = _entry(_parsed(text, source), name)
    if entry is None:
        return Order()
    policy, labels = entry.model_version_policy, dict(entry.version_labels)
    kind = policy.WhichOneof("policy_choice")
    if kind == "specific":
        return Order(0, frozenset(policy.specific.versions), labels)
    return Order(_ALL if kind == "all" else max(policy.latest.num_versions, 1), labels=labels)


def write_order(base: Path, order: Order) -> Path:
    """Writes which versions of a model are to be served, in one stroke.

    Args:
      base: folder of the versions; its name is the model's.
      order: pinned versions, or the newest ones.

    Returns:
      The file.

    Raises:
      SettingsError: the file that is there cannot be read, and other models may stand in it.
      OutputError: it cannot be written.
    """
    file = config_file(base)
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(str(file), str(error)) from None
    config = _parsed(text, str(file))
    entry = _entry(config, base.name)
    if entry is None:
        entry = config.model_config_list.config.add(name=base.name, model_platform="tensorflow")
    # TensorFlow Serving takes absolute folders alone.
    entry.base_path = str(base.absolute())
    entry.ClearField("model_version_policy")
    if order.follows:
        entry.model_version_policy.latest.num_versions = order.newest
    else:
        entry.model_version_policy.specific.versions.extend(sorted(order.pinned))
    entry.ClearField("version_labels")
    for label, number in sorted(order.labels.items()):
        entry.version_labels[label] = number
    _replace(file, _HEADER + _written(config))
    return file


def _parsed(text: str, source: str) -> pb.ModelServerConfig:
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        raise _unreadable(source, str(error)) from None
    if config.WhichOneof("config") == "custom_model_config":
        raise _unreadable(source, "it holds a custom_model_config")
    return config


def _written(config: pb.ModelServerConfig) -> str:
    from google.protobuf import text_format

    return str(text_format.MessageToString(config, as_utf8=True))


def _entry(config: pb.ModelServerConfig, name: str) -> Optional[pb.ModelConfig]:
    return next((e for e in config.model_config_list.config if e.name == name), None)


def _replace(file: Path, text: str) -> None:
    """Writes a file so that whoever looks finds the old content or the new one."""
    try:
        descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix=f".tmp-{file.name}-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                # A server may run as somebody else.
                os.fchmod(stream.fileno(), 0o644)
                os.fsync(stream.fileno())
            Path(draft).replace(file)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(
            f"The order of what serves must be a file that can be written. Received {file}: "
            f"{error.strerror or error}. Check the folder's permissions and the free space."
        ) from None


def _unreadable(source: str, why: str) -> SettingsError:
    return SettingsError(
        f"{CONFIG_FILE} must hold a model_config_list in protobuf's text format. Received "
        f"{source}: {why}. Mend it, or delete it to have the newest version served."
    )
