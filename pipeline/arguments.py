"""What the pipeline is made from, apart from the settings. Imports no TFX."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from prodcls_tf.data.files import fingerprint
from prodcls_tf.data.spans import spans_of
from prodcls_tf.features import CATEGORY
from prodcls_tf.settings import Settings

# Among the logs of a training, those of searches, which outlive it.
SEARCH_LOGS = "search"

# The settings that say how long a search goes on.
EFFORT = {"trials", "max_minutes", "confirm"}


@dataclass(frozen=True)
class Sources:
    """The product files of a run, and what reads them.

    Attributes:
      files: paths by source: `all`, or `train`, `val` and `test`.
      fingerprint: digest of their contents.
      version: of the code that reads them.
    """

    files: Mapping[str, Sequence[str]]
    fingerprint: str
    version: str

    @property
    def spans(self) -> list[int]:
        """Numbers of the spans that the files are of, oldest first."""
        return spans_of([Path(name) for names in self.files.values() for name in names])


@dataclass(frozen=True)
class Encoder:
    """The pretrained BERT of a run.

    Attributes:
      folder: where its vocabulary, configuration and weights lie.
      vocabulary_digest: digest of the files that make ids of text.
      digest: digest of all its files.
    """

    folder: str
    vocabulary_digest: str
    digest: str


@dataclass(frozen=True)
class Places:
    """Where a run keeps what.

    Attributes:
      root: folder of the steps' artifacts.
      metadata: the SQLite file of ML Metadata.
      serving: the folder that gets a subfolder for each pushed version, or its address on an
        object store.
      logs: what TensorBoard reads.
      checkpoints: the state of an unfinished training.
      searches: the state of searches for settings, finished ones, too.
      schema: what rows were accepted as.
      rejects: the rows that intake left out, where too many of them stopped it; its report lies
        beside them.
      splits: folder that remembers which split rows went to in earlier runs.
    """

    root: str
    metadata: str
    serving: str
    logs: str
    checkpoints: str
    searches: str
    schema: str
    rejects: str
    splits: str

    @property
    def search_logs(self) -> str:
        """What TensorBoard reads of searches: a folder in that of the trainings."""
        return f"{self.logs}/{SEARCH_LOGS}"


def digest_of(sources: Mapping[str, Sequence[Path]]) -> str:
    """Returns a digest of product files by source: names, contents, and what they are for.

    Raises:
      InputError: a file cannot be read.
    """
    digests = {source: fingerprint(paths) for source, paths in sources.items()}
    text = json.dumps(digests, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def columns(settings: Settings) -> dict[str, str]:
    """The columns of the product files, by their names as features.

    Example:
      >>> columns(Settings.load(overrides=["data.text=[标题]", "data.label=类目"]))
      {'text': '标题', 'category': '类目'}
    """
    texts = dict(zip(settings.data.fields, settings.data.text, strict=True))
    return {**texts, CATEGORY: settings.data.label}


def origin(settings: Settings, sources: Sources) -> str:
    """What rows come from: the files, and how they are read. Not the code that reads them."""
    text = json.dumps([sources.fingerprint, settings.data.model_dump(mode="json")])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def trainer_settings(settings: Settings) -> str:
    """The settings that the Trainer step depends on, as YAML; the others stay at their defaults.

    Example:
      >>> strict = Settings.load(overrides=["evaluation.min_accuracy=0.9"])
      >>> trainer_settings(strict) == trainer_settings(Settings())
      True
    """
    values: dict[str, Any] = settings.model_dump(
        mode="json",
        exclude={
            "checks": True,
            "evaluation": True,
            "pipeline": True,
            "push": {"model_name", "keep"},
            "tuning": True,
        },
    )
    return yaml.safe_dump(values, sort_keys=True, allow_unicode=True)


def weights_settings(settings: Settings) -> str:
    """The settings that the trained weights depend on: what watches a training plays no part.

    Example:
      >>> profiled = Settings.load(overrides=["tensorboard.profile_steps=5"])
      >>> weights_settings(profiled) == weights_settings(Settings())
      True
    """
    usual = Settings()
    return trainer_settings(
        settings.model_copy(update={"tensorboard": usual.tensorboard, "wandb": usual.wandb})
    )


def tuner_settings(settings: Settings) -> str:
    """The settings that the Tuner step depends on, as YAML; the others stay at their defaults.

    Example:
      >>> five = Settings.load(overrides=["push.top_k=5", "tuning.enabled=true"])
      >>> tuner_settings(five) == tuner_settings(Settings())
      True
    """
    return yaml.safe_dump(
        settings.model_dump(
            mode="json",
            exclude={
                "checks": True,
                "evaluation": True,
                "pipeline": True,
                "push": True,
                "tensorboard": True,
                "tuning": {"enabled"},
            },
        ),
        sort_keys=True,
        allow_unicode=True,
    )


def search_name(settings: Settings, sources: Sources, encoder: Encoder) -> str:
    """What makes a search this one: not the code, nor its length, nor who works or watches.

    Example:
      >>> files, bert = Sources({}, "a3b0", "0.1"), Encoder("bert", "v1", "e1")
      >>> longer = Settings.load(overrides=["tuning.trials=40"])
      >>> search_name(longer, files, bert) == search_name(Settings(), files, bert)
      True
    """
    usual = Settings()
    same = usual.tuning.model_dump(include=EFFORT | {"workers", "chief"})
    tuning = settings.tuning.model_copy(update=same)
    alone = tuner_settings(settings.model_copy(update={"tuning": tuning, "wandb": usual.wandb}))
    text = json.dumps([alone, sources.fingerprint, encoder.digest])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
