"""What trials and searches come to, as it is kept on disk. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Optional

import pydantic
import yaml

_RESULT = "result.json"


class Result(pydantic.BaseModel):
    """What a trial came to.

    Attributes:
      status: `finished`, `pruned` (stopped early), or `failed`.
      metrics: of the validation rows; empty if it failed.
      curve: the figure that pruning goes by, after each epoch.
      epochs: that it was to have.
      seconds: that it took.
      reason: why it failed, or where it was stopped.
    """

    status: Literal["finished", "pruned", "failed"]
    metrics: dict[str, float] = {}
    curve: list[float] = []
    epochs: int = 0
    seconds: float = 0.0
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

    def runs_of(self, number: str) -> list[Tried]:
        """Returns a trial and its repetitions with other seeds."""
        return [
            tried
            for tried in self.trials
            if tried.number == number or tried.number.startswith(f"{number}-seed")
        ]

    def to_yaml(self) -> str:
        """Returns the best settings as a settings file, with a comment on where they are from."""
        sections: dict[str, dict[str, Any]] = {}
        for name, value in sorted(self.best.items()):
            section, _, key = name.partition(".")
            sections.setdefault(section, {})[key] = value
        comment = (
            f"# Of {len(self.trials)} trials, measured by {self.objective} on {self.rows} "
            f"validation rows, the best was {self.number}.\n"
        )
        if not sections:
            return f"{comment}# No other settings are better.\n"
        return comment + yaml.safe_dump(sections, allow_unicode=True)
