"""All settings of a run: typed, in one YAML file, overridable one by one, stored with every model.

Example:
  >>> settings = Settings.load(overrides=["training.epochs=3", "encoder.pooling=first"])
  >>> settings.training.epochs
  3
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

import pydantic
import yaml
from pydantic import Field

from prodcls_tf.errors import SettingsError
from prodcls_tf.sections.checks import ChecksSettings
from prodcls_tf.sections.data import DataSettings
from prodcls_tf.sections.model import EncoderSettings, HeadSettings, WideSettings
from prodcls_tf.sections.pipeline import PipelineSettings
from prodcls_tf.sections.release import EvaluationSettings, PushSettings
from prodcls_tf.sections.section import Section
from prodcls_tf.sections.training import TensorBoardSettings, TrainingSettings, WandbSettings
from prodcls_tf.tuning.space import Range, TuningSettings

__all__ = [
    "ChecksSettings",
    "DataSettings",
    "EncoderSettings",
    "EvaluationSettings",
    "HeadSettings",
    "PipelineSettings",
    "PushSettings",
    "Settings",
    "TensorBoardSettings",
    "TrainingSettings",
    "WandbSettings",
    "WideSettings",
]


class Settings(Section):
    """Every setting of a run, by section."""

    data: DataSettings = Field(default_factory=DataSettings)
    checks: ChecksSettings = Field(default_factory=ChecksSettings)
    encoder: EncoderSettings = Field(default_factory=EncoderSettings)
    head: HeadSettings = Field(default_factory=HeadSettings)
    wide: WideSettings = Field(default_factory=WideSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    tensorboard: TensorBoardSettings = Field(default_factory=TensorBoardSettings)
    wandb: WandbSettings = Field(default_factory=WandbSettings)
    tuning: TuningSettings = Field(default_factory=TuningSettings)
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)
    push: PushSettings = Field(default_factory=PushSettings)
    pipeline: PipelineSettings = Field(default_factory=PipelineSettings)

    @classmethod
    def load(
        cls,
        path: Optional[Union[str, Path]] = None,
        overrides: Iterable[str] = (),
        hparams: Optional[Union[str, Path]] = None,
    ) -> Settings:
        """Reads settings from YAML files and applies single overrides.

        Args:
          path: a YAML file with any part of the settings; what it leaves out keeps its default.
          overrides: `section.name=value` strings; the value is read as YAML.
          hparams: a second file of the same kind, which goes over the first: what a search found.

        Returns:
          The validated settings.

        Raises:
          SettingsError: a file cannot be read, a key is unknown, or a value does not fit.
        """
        values = _read_yaml(Path(path)) if path is not None else {}
        if hparams is not None:
            _lay_over(values, _read_yaml(Path(hparams), "--hparams"))
        for override in overrides:
            _apply(values, override)
        files = [str(file) for file in (path, hparams) if file is not None]
        return cls.parse(values, source=" with ".join(files) or "the settings")

    @classmethod
    def stored(cls, path: Path) -> Settings:
        """Reads settings that a run has written, perhaps with another version of prodcls.

        Args:
          path: the file, in an output folder or beside a model.

        Returns:
          The settings. What this version does not know is left out: an older model may have
          settings that there are no more.

        Raises:
          SettingsError: the file cannot be read or a value does not fit.

        Example:
          >>> Settings.stored(Path("runs/mine/settings.yaml"))  # doctest: +SKIP
        """
        values = _read_yaml(path)
        try:
            cls.model_validate(values)
        except pydantic.ValidationError as error:
            for fault in error.errors():
                if fault["type"] == "extra_forbidden":
                    _leave_out(values, fault["loc"])
        return cls.parse(values, source=str(path))

    @classmethod
    def parse(cls, values: Any, source: str = "the settings") -> Settings:
        """Validates plain values.

        Args:
          values: nested dicts as read from YAML or JSON.
          source: where they came from, for the error message.

        Returns:
          The validated settings.

        Raises:
          SettingsError: a key is unknown or a value does not fit; every fault is listed.
        """
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            faults = "\n".join(f"  {_describe(fault)}" for fault in error.errors())
            raise SettingsError(f"{source} cannot be used:\n{faults}") from None

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """Returns a copy with some settings changed.

        Args:
          values: by name, such as `training.epochs`.

        Returns:
          The validated settings.

        Raises:
          SettingsError: a name is unknown or a value does not fit.

        Example:
          >>> Settings().with_values({"training.epochs": 3}).training.epochs
          3
        """
        changed = self.model_dump(mode="json")
        for name, value in values.items():
            section, _, key = name.partition(".")
            changed.setdefault(section, {})[key] = value
        return Settings.parse(changed)

    @pydantic.model_validator(mode="after")
    def _space_fits(self) -> Settings:
        """Every value that a search may try must be one that the setting can have."""
        for name, tried in self.tuning.space.dimensions():
            section, _, key = name.partition(".")
            values = [tried.min, tried.max] if isinstance(tried, Range) else list(tried)
            if isinstance(tried, Range) and not tried.whole:
                # A number that is not whole, for a setting that has to be.
                values.append(math.nextafter(tried.min, tried.max))
            for value in [] if tried == "auto" else values:
                _check_value(type(getattr(self, section)), key, value)
        return self

    def to_yaml(self) -> str:
        """Returns all settings, defaults included, as YAML that `load` reads back."""
        return yaml.safe_dump(
            self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100
        )


def _check_value(section: type[Section], key: str, value: Any) -> None:
    try:
        section.model_validate({key: value})
    except pydantic.ValidationError as error:
        raise ValueError(f"tuning tries {value!r} for {key}: {error.errors()[-1]['msg']}") from None


# Single settings that are text; what is typed for them is not read as YAML.
_TEXTS = frozenset(
    {"data.label", "data.separator", "data.encoding", "data.delimiter", "data.group"}
    | {"data.slice_by", "encoder.name", "training.warm_start"}
    | {f"wandb.{name}" for name in ("project", "entity", "group", "name")}
)


def _read_yaml(path: Path, option: str = "--config") -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(
            f"A settings file must be readable YAML. Received {path}: {error}. "
            f"Check the path, or leave out {option} to use the defaults."
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(
            f"A settings file must hold sections such as `training:`. Received in {path}: "
            f"a {type(values).__name__}. See the settings table in README.md."
        )
    return values


def _leave_out(values: Any, where: Sequence[Union[int, str]]) -> None:
    # A fault within one of several kinds of value is not where its place says.
    with contextlib.suppress(LookupError, TypeError):
        for part in where[:-1]:
            values = values[part]
        del values[where[-1]]


def _lay_over(values: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _lay_over(values[key], value)
        else:
            values[key] = value


def _apply(values: dict[str, Any], override: str) -> None:
    """Writes one `section.name=value` override into nested values."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) < 2 or not all(parts):
        raise SettingsError(
            f"An override must read section.name=value. Received: {override!r}. "
            "For instance: --set training.epochs=3"
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if key.strip() in _TEXTS:
        # As it was typed: YAML would make a block of `|` and take the blanks off ` / `.
        value = text
    elif isinstance(value, str):
        # YAML 1.1 reads 2e-5 as text (it wants 2.0e-5); people write 2e-5.
        try:
            value = float(value)
        except ValueError:
            pass
    node = values
    for part in parts[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise SettingsError(
                f"{part!r} in the override {override!r} is a single setting, not a section. "
                "See the settings table in README.md."
            )
        node = child
    node[parts[-1]] = value


def _describe(fault: Any) -> str:
    """One validation fault in a line: where, which rule, what was received."""
    where = ".".join(str(part) for part in fault["loc"]) or "settings"
    if fault["type"] == "extra_forbidden":
        return f"{where}: there is no such setting. See the settings table in README.md."
    received = fault.get("input")
    shown = "" if isinstance(received, (dict, pydantic.BaseModel)) else f" Received: {received!r}."
    return f"{where}: {fault['msg']}.{shown}"
