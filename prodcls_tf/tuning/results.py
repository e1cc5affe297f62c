"""What trials and searches come to, as it is kept on disk. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Optional

import pydantic
import yaml

_RESULT = "result.json"
# The trial of the settings as they are; the others bear numbers.
DEFAULTS = "defaults"
_SEED = "-seed"


def with_seed(number: str, seed: int) -> str:
    """Names the trial that repeats another one with another seed.

    Args:
      number: of the other one.
      seed: which repetition; 0 for the trial itself.

    Example:
      >>> with_seed("07", 0), with_seed("07", 2)
      ('07', '07-seed2')
    """
    return f"{number}{_SEED}{seed}" if seed else number


def is_repetition(number: str) -> bool:
    """Says whether a trial repeats another one with another seed."""
    return _SEED in number


class Course(pydantic.BaseModel):
    """How a training went.

    Attributes:
      curve: the figure that counts, after each epoch.
      epochs: that it was to have; more than the curve has where patience ended it.
    """

    curve: list[float] = []
    epochs: int = 0


class Result(pydantic.BaseModel):
    """What a trial came to.

    Attributes:
      status: `finished`, `pruned` (stopped early), or `failed`.
      metrics: of the validation rows; empty if it failed.
      course: the figure that pruning goes by, after each epoch.
      seconds: that it took.
      workers: trials that were under way at a time.
      reason: why it failed, or where it was stopped.
    """

    status: Literal["finished", "pruned", "failed"]
    metrics: dict[str, float] = {}
    course: Course = Course()
    seconds: float = 0.0
    workers: int = 1
    reason: str = ""

    @classmethod
    def read(cls, folder: Path) -> Optional[Result]:
        """Returns a trial's result; None if it has none, or one that cannot be read."""
        try:
            return cls.model_validate_json((folder / _RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, folder: Path) -> None:
        """Writes it, in one stroke."""
        part = folder / f"{_RESULT}.part"
        part.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        part.replace(folder / _RESULT)


class Tried(pydantic.BaseModel):
    """One trial.

    Attributes:
      number: of the trial; `defaults` for the settings as they were. One with another seed has it
        at the end, as in `07-seed1`.
      values: the settings that it tried, by name.
      result: what came of it.
    """

    number: str
    values: dict[str, Any]
    result: Result


class Search(pydantic.BaseModel):
    """What a search came to.

    Attributes:
      best: the settings to train with, by name; empty where none was better than those that were.
      number: of the trial that had them; `defaults` where none was better.
      trials: all of them: the settings as they were, those that were tried, and the best of both
        with other seeds.
      objective: what was to be best.
      rows: validation rows that the trials were measured on.
      time_is_over: whether the search ended for want of time, not of trials.

    Example:
      >>> Search(best={"training.epochs": 6}, number="3", trials=[], objective="macro_f1",
      ...        rows=90).to_yaml().splitlines()[-2:]
      ['training:', '  epochs: 6']
    """

    best: dict[str, Any]
    number: str
    trials: list[Tried]
    objective: str
    rows: int
    time_is_over: bool = False

    def gain(self) -> tuple[float, float, int]:
        """Compares the trial that won with the settings as they were.

        Returns:
          The mean of the objective before and after, and over how many seeds it is.
        """
        scores = {
            tried.number: tried.result.metrics[self.objective]
            for tried in self.trials
            if tried.result.metrics
        }
        pairs, seed = [], 0
        while with_seed(self.number, seed) in scores and with_seed(DEFAULTS, seed) in scores:
            pairs.append([scores[with_seed(name, seed)] for name in (DEFAULTS, self.number)])
            seed += 1
        before, after = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
        return before, after, len(pairs)

    def to_yaml(self) -> str:
        """Returns the best settings as a settings file, with a comment on where they are from."""
        sections: dict[str, dict[str, Any]] = {}
        for name, value in sorted(self.best.items()):
            section, _, key = name.partition(".")
            sections.setdefault(section, {})[key] = value
        trials = [tried for tried in self.trials if not is_repetition(tried.number)]
        comment = (
            f"# Of {len(trials)} trials, measured by {self.objective} on {self.rows} "
            f"validation rows, the best was {self.number}.\n"
        )
        if not sections:
            return f"{comment}# No other settings are better.\n"
        return comment + yaml.safe_dump(sections, allow_unicode=True)
