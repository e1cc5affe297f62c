"""A model that a run trained: how good it is, what it was made of and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.summary import SplitFigures
from prodcls_tf.evaluation.comparison import Comparison


@dataclass(frozen=True)
class Version:
    """A version that a model was pushed as.

    Attributes:
      folder: where it was put; its name is the version's number.
      there: whether it is still there.
      serves: whether requests that name no version get it: as a rule the newest of its name.
    """

    folder: Path
    there: bool
    serves: bool


@dataclass(frozen=True)
class StepTime:
    """What a step took in the run that trained the model.

    Attributes:
      step: its name.
      seconds: wall-clock time.
      cached: whether a former result was taken.
    """

    step: str
    seconds: float
    cached: bool


@dataclass(frozen=True)
class Origin:
    """What a model was made of, beside the settings.

    Attributes:
      files: the product files.
      fingerprint: digest of their contents.
      code: version of prodcls, with a digest of the code that the steps run.
      encoder: digest of the pretrained encoder's files.
    """

    files: tuple[str, ...] = ()
    fingerprint: str = ""
    code: str = ""
    encoder: str = ""


@dataclass(frozen=True)
class Training:
    """A model that was trained, and all that is still known of it.

    Attributes:
      out: the output folder.
      id: of the Trainer's execution in ML Metadata; None where only a summary is left.
      trained: when the training ended; None where that is not known.
      seconds: what the Trainer took; of a training that was resumed, its last part.
      model: folder of the exported SavedModel; None where it is not known, or was removed.
      figures: by split, with those before fine-tuning; empty where they are lost.
      settings: by section, as far as they are known.
      origin: what else it was made of.
      blessed: whether the gates let it through, by their last words; None where the Evaluator
        said nothing.
      comparison: beside the model that served when it was judged; None where there was none.
      verdict: why the model is pushed or is not, in words for a person.
      versions: what it was pushed as, the oldest first.
      steps: of the run that trained it.
      software: versions of prodcls and what it stands on.
      evaluation: folder of the Evaluator's figures; None where it made none.
      categories: file of the category paths by number; None where it is not known.
      missing: what is not known, in words for a person.
    """

    out: Path
    id: int | None = None
    trained: datetime | None = None
    seconds: float | None = None
    model: Path | None = None
    figures: Mapping[str, SplitFigures] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    origin: Origin = Origin()
    blessed: bool | None = None
    comparison: Comparison | None = None
    verdict: str = ""
    versions: tuple[Version, ...] = ()
    steps: tuple[StepTime, ...] = ()
    software: Mapping[str, str] = field(default_factory=dict)
    evaluation: Path | None = None
    categories: Path | None = None
    missing: tuple[str, ...] = ()

    @property
    def test(self) -> SplitFigures | None:
        """The figures on the rows that were held out, None where they are lost."""
        return self.figures.get("test")

    @property
    def pushed(self) -> Version | None:
        """The newest version that is still there, else the newest there was, else None."""
        kept = [version for version in self.versions if version.there]
        return next(reversed(kept or self.versions), None)


@dataclass(frozen=True)
class Unfinished:
    """A training that has no model, and that no later one made up for.

    Attributes:
      out: the output folder.
      id: of the Trainer's execution in ML Metadata.
      started: when it began.
      state: `under way`, `killed` or `failed`.
    """

    out: Path
    id: int
    started: datetime
    state: str
