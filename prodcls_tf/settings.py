"""All settings of a run: typed, in one YAML file, overridable one by one, stored with every model.

Example:
  >>> settings = Settings.load(overrides=["training.epochs=3", "encoder.pooling=first"])
  >>> settings.training.epochs
  3
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import pydantic
import yaml
from pydantic import Field

from prodcls_tf import features
from prodcls_tf.errors import SettingsError
from prodcls_tf.section import Count, Section, Share
from prodcls_tf.tuning.space import Range, TuningSettings

NGramRange = tuple[Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]]


class DataSettings(Section):
    """What the columns of a product file are called and how its rows are split."""

    text: list[str] = Field(
        ["title"], min_length=1, description="text columns; the first one is the title"
    )
    label: str = Field("category", description="column with the category path")
    separator: str = Field(" > ", min_length=1, description="what separates a path's levels")
    val_share: Share = Field(0.1, gt=0.0, description="share of rows that choose the best weights")
    test_share: Share = Field(0.1, gt=0.0, description="share of rows that are held out")
    encoding: str = Field("utf-8", description="encoding of CSV and JSON lines files")

    @pydantic.field_validator("text")
    @classmethod
    def _distinct(cls, columns: list[str]) -> list[str]:
        if len(set(columns)) != len(columns):
            raise ValueError("each text column may be named once")
        return columns

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> DataSettings:
        if self.label in self.text:
            raise ValueError(f"the label column {self.label!r} cannot be a text column too")
        if self.val_share + self.test_share >= 1.0:
            raise ValueError("val_share and test_share must leave rows to train on")
        return self

    @property
    def fields(self) -> list[str]:
        """The text columns' names inside examples and signatures."""
        return features.field_names(self.text)


class EncoderSettings(Section):
    """Which BERT, how much of its input and how much of it is trained."""

    name: str = Field(
        "bundled", description="`bundled`, a local folder, or a name on the Hugging Face hub"
    )
    max_length: int = Field(128, ge=4, le=512, description="tokens kept of a row")
    pooling: Literal["mean", "first", "pooler"] = Field(
        "mean", description="how token states become one vector"
    )
    dropout: Share = Field(0.1, description="dropout inside the encoder while it is trained")
    token_dropout: Share = Field(0.1, description="share of tokens hidden while it is trained")
    freeze: Union[Literal["none", "embeddings", "half", "all"], Count] = Field(
        "half", description="`none`, `embeddings`, a number of lowest layers, `half`, or `all`"
    )


class HeadSettings(Section):
    """What stands on the encoder."""

    hidden: int = Field(0, ge=0, description="width of an MLP before the last layer; 0 for none")
    dropout: Share = Field(0.1, description="dropout before the last layer")
    probe: bool = Field(True, description="start from a linear probe")


class WideSettings(Section):
    """The branch of n-grams beside BERT."""

    enabled: bool = Field(True, description="whether there is one")
    buckets: int = Field(2**18, ge=16, le=2**24, description="n-grams are hashed into these")
    word_ngrams: NGramRange = Field((1, 2), description="shortest and longest run of words")
    char_ngrams: NGramRange = Field((2, 5), description="shortest and longest piece of a word")
    rank: int = Field(
        256, ge=0, description="more categories than this share a table of this rank; 0 for never"
    )
    strength: float = Field(3.0, gt=0.0, description="C of its linear SVM; less is smoother")


class TrainingSettings(Section):
    """How the encoder is fine-tuned."""

    epochs: Union[Literal["auto"], Count] = Field(
        "auto", description="passes over the training rows, at most; `auto`: 6, fewer for many rows"
    )
    batch_size: Count = Field(32, description="rows a step, over all devices")
    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="kind of optimizer")
    learning_rate: Union[Literal["auto"], Annotated[float, Field(gt=0.0)]] = Field(
        "auto", description="highest rate, of the top layer; `auto` goes by the encoder's width"
    )
    layer_decay: float = Field(
        0.9, gt=0.0, le=1.0, description="each layer's rate over that of the layer above"
    )
    head_multiplier: float = Field(10.0, gt=0.0, description="the head's rate over the top layer's")
    warmup_share: Share = Field(0.1, description="share of the steps in which the rate rises")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="how the rate falls after that"
    )
    weight_decay: float = Field(0.01, ge=0.0, description="of AdamW; not on bias and LayerNorm")
    clip_norm: float = Field(1.0, ge=0.0, description="largest norm of a gradient; 0 for any")
    label_smoothing: Share = Field(0.1, description="mass spread over the wrong categories")
    weight_average: Share = Field(
        0.998, description="share that a step keeps of the weights' running average; 0 for none"
    )
    class_weight_exponent: float = Field(
        0.3, ge=0.0, le=1.0, description="a category of n rows weighs n to the minus this"
    )
    patience: Count = Field(3, description="epochs without a better validation macro-F1")
    seed: int = Field(0, ge=0, description="of order, dropout and new weights")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="of matrix products; `auto` is the fastest that the device has"
    )
    xla: bool = Field(True, description="compile the step with XLA where there is a GPU")
    cache_mb: int = Field(
        1024, ge=0, description="memory for the outputs of frozen layers, computed once"
    )


class TensorBoardSettings(Section):
    """What a training writes for TensorBoard beside its curves; the model does not depend on it."""

    embeddings: bool = Field(
        True, description="write vectors of validation rows for the projector, with their titles"
    )
    profile_steps: int = Field(
        0, ge=0, le=100, description="steps of training that are profiled; 0 for none"
    )


class WandbSettings(Section):
    """What Weights & Biases gets of a training; the model does not depend on it."""

    project: str = Field(
        "",
        max_length=128,
        pattern=r"^[^/\\#?%:]*$",
        description="project that gets a run of each training; empty for none",
    )
    entity: str = Field("", description="its user or team; empty for the usual one of the key")
    mode: Literal["online", "offline"] = Field(
        "online", description="`offline` keeps the run in the log folder, for `wandb sync`"
    )
    group: str = Field(
        "", max_length=128, description="group of the run; a search fills it in where it is empty"
    )
    name: str = Field("", max_length=128, description="the run's name; empty to have one made up")


class EvaluationSettings(Section):
    """What a model must reach on test rows to be pushed."""

    min_accuracy: float = Field(0.5, ge=0.0, le=1.0, description="lowest accuracy that is pushed")
    min_macro_f1: float = Field(0.3, ge=0.0, le=1.0, description="lowest macro-F1 that is pushed")


class PushSettings(Section):
    """The model that is served."""

    model_name: str = Field(
        "prodcls", pattern=r"^[A-Za-z0-9_.-]+$", description="its name, and its folder's"
    )
    top_k: Count = Field(5, description="categories that an answer holds")


class PipelineSettings(Section):
    """How the pipeline runs."""

    beam_args: list[str] = Field(
        default_factory=list, description="options for Apache Beam, such as --runner=..."
    )


class Settings(Section):
    """Every setting of a run, by section."""

    data: DataSettings = Field(default_factory=DataSettings)
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
    {"data.label", "data.separator", "data.encoding", "encoder.name"}
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
