"""The settings of a search: how long, by which method, and over which settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Optional, Union

import pydantic
from pydantic import Field

from prodcls_tf.sections.section import Count, Section

Number = Union[int, float]


class Range(Section):
    """All numbers between two.

    Args:
      min: the smallest one.
      max: the largest one; whole numbers at both ends stand for whole numbers between them.
      step: distance between two neighbours; None for any number.
      log: whether small and large ones are tried equally often; leave out `step` then.
    """

    min: Number
    max: Number
    step: Optional[Number] = Field(None, gt=0)
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether the range is one of whole numbers."""
        return isinstance(self.min, int) and isinstance(self.max, int)

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> Range:
        if not self.min < self.max:
            raise ValueError("min must be less than max")
        if self.log and (self.min <= 0 or self.step is not None):
            raise ValueError("a range with log begins above 0 and has no step")
        if self.whole and self.step is not None and self.step != int(self.step):
            raise ValueError("a range of whole numbers has a step that is one, too")
        return self


# Sequences, since lists of one kind are no lists of several to a type checker.
Numbers = Union[Range, Sequence[Number], None]
Names = Union[Sequence[Union[int, str]], None]


class EncoderSpace(Section):
    """Which values of `encoder` are tried."""

    dropout: Numbers = Field([0.0, 0.1, 0.2], description="values of encoder.dropout")
    token_dropout: Numbers = Field([0.0, 0.1, 0.2], description="values of encoder.token_dropout")
    freeze: Names = Field(["embeddings", "half"], description="values of encoder.freeze")
    max_length: Numbers = Field([64, 128, 256], description="values of encoder.max_length")


class HeadSpace(Section):
    """Which values of `head` are tried."""

    hidden: Numbers = Field([0, 256], description="values of head.hidden")
    dropout: Numbers = Field([0.0, 0.1, 0.3], description="values of head.dropout")


class TrainingSpace(Section):
    """Which values of `training` are tried."""

    epochs: Numbers = Field([3, 4, 6, 8], description="values of training.epochs")
    batch_size: Numbers = Field([16, 32, 64], description="values of training.batch_size")
    learning_rate: Union[Literal["auto"], Numbers] = Field(
        "auto", description="values of training.learning_rate; `auto` goes by the encoder's width"
    )
    warmup_share: Numbers = Field([0.0, 0.1, 0.2], description="values of training.warmup_share")
    schedule: Names = Field(["linear", "cosine"], description="values of training.schedule")
    weight_decay: Numbers = Field(
        Range(min=1e-3, max=1e-1, log=True), description="values of training.weight_decay"
    )
    label_smoothing: Numbers = Field(
        [0.0, 0.05, 0.1, 0.2], description="values of training.label_smoothing"
    )
    class_weight_exponent: Numbers = Field(
        [0.0, 0.3, 0.5], description="values of training.class_weight_exponent"
    )


class SpaceSettings(Section):
    """The settings that are tried: a range, a list of values, or null to leave one as it is.

    A list of one value fixes a setting for the search.
    """

    encoder: EncoderSpace = Field(default_factory=EncoderSpace)
    head: HeadSpace = Field(default_factory=HeadSpace)
    training: TrainingSpace = Field(default_factory=TrainingSpace)

    def dimensions(self) -> Iterator[tuple[str, Union[Range, Sequence[Any], Literal["auto"]]]]:
        """Yields what is tried, by the setting's name, such as `training.epochs`."""
        for section in SpaceSettings.model_fields:
            part = getattr(self, section)
            for name in type(part).model_fields:
                tried = getattr(part, name)
                if tried is not None:
                    yield f"{section}.{name}", tried

    @pydantic.model_validator(mode="after")
    def _not_empty(self) -> SpaceSettings:
        for name, tried in self.dimensions():
            if tried == []:
                raise ValueError(f"{name} must list a value, or be null to be left as it is")
        return self


class TuningSettings(Section):
    """The search for better settings."""

    enabled: bool = Field(False, description="whether `prodcls run` searches before it trains")
    algorithm: Literal["bayesian", "random", "hyperband"] = Field(
        "bayesian", description="how the next values are chosen"
    )
    trials: Count = Field(
        20, description="trainings, at most, beside that of the settings as they are"
    )
    max_minutes: float = Field(
        60.0, gt=0.0, description="after which the search ends; a trial under way is given up"
    )
    objective: Literal["macro_f1", "accuracy", "weighted_f1", "top3_accuracy"] = Field(
        "macro_f1", description="what is to be best on validation rows"
    )
    confirm: int = Field(
        1, ge=0, description="further seeds with which the best trials must be better"
    )
    min_gain: float = Field(
        0.002, ge=0.0, lt=1.0, description="mean gain over the seeds that a trial must exceed"
    )
    prune: bool = Field(True, description="stop trials that are worse than the median so far")
    workers: Count = Field(1, description="trials at a time; several share GPUs or cores")
    chief: str = Field(
        "127.0.0.1:0",
        pattern=r"^[^\s:]+:\d{1,5}$",
        description="address at which workers of other machines find the search; port 0 for any",
    )
    rows: int = Field(0, ge=0, description="training rows of a trial, at most; 0 for all")
    seed: int = Field(0, ge=0, description="of the choice of values; the same one, the same trials")
    space: SpaceSettings = Field(default_factory=SpaceSettings)
