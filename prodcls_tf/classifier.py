"""The classifier as a library: plain data in, categories out; no pipeline needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.data.table import Rows, labelled_columns, text_columns, val_rows
from prodcls_tf.errors import InputError, ModelError, OutputError
from prodcls_tf.evaluation.metrics import Metrics
from prodcls_tf.export.saved_model import SETTINGS_FILE, export_saved_model
from prodcls_tf.export.signatures import ServingModel
from prodcls_tf.model import storage
from prodcls_tf.model.encoder import encoder_folder
from prodcls_tf.model.product_model import ProductModel
from prodcls_tf.settings import Settings
from prodcls_tf.training.measuring import BranchScorer
from prodcls_tf.training.projector import write_projector
from prodcls_tf.training.recipe import Trained, train
from prodcls_tf.training.summaries import write_summaries
from prodcls_tf.training.wandb_run import WandbRun, tracked_by_wandb

_CATEGORIES_FILE = "categories.json"


@dataclass(frozen=True)
class Prediction:
    """The best categories of one row.

    Attributes:
      category: path of the best one.
      score: its score, 0 to 1.
      ranked: pairs of path and score, best first.
    """

    category: str
    score: float
    ranked: tuple[tuple[str, float], ...]


class ProductClassifier:
    """Puts products into categories.

    Args:
      settings: all settings, defaults where None.

    Example:
      >>> classifier = ProductClassifier()  # doctest: +SKIP
      >>> classifier.fit({"title": titles, "category": paths})  # doctest: +SKIP
      >>> classifier.predict(["wireless mouse 2.4 GHz"])[0].category  # doctest: +SKIP
      'Electronics > Computers > Mice'
      >>> classifier.export("serving/prodcls/1")  # doctest: +SKIP
    """

    def __init__(self, settings: Optional[Settings] = None) -> None:
        self.settings = settings or Settings()
        self._model: Optional[ProductModel] = None
        self._scorer: Optional[BranchScorer] = None
        self._encoder_folder: Optional[Path] = None
        self._categories: list[str] = []

    @property
    def categories(self) -> list[str]:
        """The category paths; a path's place is its label."""
        return list(self._categories)

    @property
    def model(self) -> ProductModel:
        """The graph of a fitted classifier.

        Raises:
          ModelError: it is not fitted.
        """
        if self._model is None:
            raise ModelError(
                "This classifier must be fitted first. Received a call on a new one. Call fit(), "
                "or ProductClassifier.load()."
            )
        return self._model

    def fit(
        self,
        train_rows: Rows,
        val: Optional[Rows] = None,
        *,
        log_dir: Optional[Union[str, Path]] = None,
        checkpoint_dir: Optional[Union[str, Path]] = None,
        strategy: Optional[tf.distribute.Strategy] = None,
        callbacks: Sequence[tf.keras.callbacks.Callback] = (),
    ) -> Trained:
        """Learns from labelled rows.

        Args:
          train_rows: a DataFrame or a dict of columns, with the text columns and the label column
            that the settings name.
          val: rows that choose the best weights; None takes `data.val_share` of the training
            rows, chosen by their text.
          log_dir: where TensorBoard's logs go, and the run of Weights & Biases if the settings
            name a project; None for none.
          checkpoint_dir: where to keep checkpoints; a killed call goes on from them.
          strategy: how fine-tuning is spread over devices; None for all GPUs of this machine.
          callbacks: others that watch fine-tuning.

        Returns:
          The figures of the training.

        Raises:
          InputError: a column is missing, a row has no category, or there is one category only.
          TrackingError: Weights & Biases is asked for and cannot be used.
        """
        texts, paths = labelled_columns(train_rows, self.settings.data)
        _check_categories(paths)
        if val is None:
            chosen = val_rows(texts, paths, self.settings.data.val_share)
            val_texts, val_paths = _pick(texts, paths, chosen)
            texts, paths = _pick(texts, paths, ~chosen)
            _check_chosen(val_paths, len(chosen), self.settings.data.val_share)
        else:
            val_texts, val_paths = labelled_columns(val, self.settings.data)
        categories = sorted(set(paths))
        _check_val_rows(categories, val_paths)
        text_to_ids = storage.build_text_to_ids(self._folder(), self.settings)
        return self.fit_examples(
            EncodedExamples.from_texts(texts, _numbers(paths, categories), text_to_ids),
            EncodedExamples.from_texts(val_texts, _numbers(val_paths, categories), text_to_ids),
            categories,
            log_dir=log_dir,
            checkpoint_dir=checkpoint_dir,
            strategy=strategy,
            callbacks=callbacks,
        )

    def fit_examples(
        self,
        train_examples: EncodedExamples,
        val_examples: EncodedExamples,
        categories: Sequence[str],
        *,
        held_out: Optional[Mapping[str, EncodedExamples]] = None,
        log_dir: Optional[Union[str, Path]] = None,
        checkpoint_dir: Optional[Union[str, Path]] = None,
        strategy: Optional[tf.distribute.Strategy] = None,
        callbacks: Sequence[tf.keras.callbacks.Callback] = (),
    ) -> Trained:
        """Learns from rows that are tokenized already, as a pipeline's Trainer has them.

        Args:
          train_examples: rows to learn from.
          val_examples: rows that choose the best weights.
          categories: the paths by number.
          held_out: other splits to measure, before and after.
          log_dir: where TensorBoard's logs go, and the run of Weights & Biases if the settings
            name a project; None for none.
          checkpoint_dir: where to keep checkpoints.
          strategy: how fine-tuning is spread over devices; None for all GPUs of this machine.
          callbacks: others that watch fine-tuning.

        Returns:
          The figures of the training.

        Raises:
          TrackingError: Weights & Biases is asked for and cannot be used.
        """
        folder = self._folder()
        logs = Path(log_dir) if log_dir is not None else None
        with tracked_by_wandb(self.settings, logs) as wandb_run:
            trained = train(
                self.settings,
                storage.build_text_to_ids(folder, self.settings),
                folder,
                categories,
                {"train": train_examples, "val": val_examples, **(held_out or {})},
                log_dir=logs,
                checkpoint_dir=Path(checkpoint_dir) if checkpoint_dir is not None else None,
                strategy=strategy,
                wandb_run=wandb_run,
                callbacks=callbacks,
            )
            self._model, self._categories = trained.model, list(categories)
            self._scorer = None
            if logs is not None:
                self._show(logs, val_examples, trained, wandb_run)
        return trained

    def predict(self, rows: Rows, top_k: int = 5) -> list[Prediction]:
        """Finds the best categories of rows.

        Args:
          rows: a DataFrame, a dict of columns, or a list of titles.
          top_k: categories to return for each row, at most.

        Returns:
          One prediction a row, in order.

        Raises:
          InputError: a column is missing, or `top_k` is less than 1.
        """
        if top_k < 1:
            raise InputError(f"top_k must be at least 1. Received: {top_k}.")
        scores = self._scores(text_columns(rows, self.settings.data))
        best = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        return [
            Prediction(
                self._categories[order[0]],
                float(row[order[0]]),
                tuple((self._categories[number], float(row[number])) for number in order),
            )
            for row, order in zip(scores, best, strict=True)
        ]

    def evaluate(self, rows: Rows) -> Metrics:
        """Measures the classifier on labelled rows.

        Args:
          rows: a DataFrame or a dict of columns, labels included.

        Returns:
          The metrics, with a report per category.

        Raises:
          InputError: a category is unknown to the model, or there are no rows.
        """
        texts, paths = labelled_columns(rows, self.settings.data)
        unknown = sorted(set(paths) - set(self._categories))
        if unknown and self._model is not None:
            raise InputError(
                f"Labels must be among the model's {len(self._categories)} categories. Received "
                f"{len(unknown)} others, such as {unknown[0]!r}. Leave these rows out, or train "
                "with them."
            )
        scores = self._scores(texts)
        return Metrics.of(_numbers(paths, self._categories), scores, self._categories)

    def save(self, folder: Union[str, Path]) -> None:
        """Writes the classifier so that `load` reads it back.

        Args:
          folder: made if missing; its `encoder/` is a checkpoint for Hugging Face.

        Raises:
          OutputError: the folder cannot be written.
        """
        model, folder = self.model, Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            storage.save_model(model, self._folder(), folder)
            (folder / SETTINGS_FILE).write_text(self.settings.to_yaml(), encoding="utf-8")
            categories = json.dumps(self._categories, ensure_ascii=False, indent=1)
            (folder / _CATEGORIES_FILE).write_text(categories, encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"A classifier needs a folder that can be written, with room. Received {folder}: "
                f"{error}. Check permissions and free space, or name another folder."
            ) from error

    @classmethod
    def load(cls, folder: Union[str, Path]) -> ProductClassifier:
        """Reads a classifier that `save` wrote.

        Args:
          folder: as given to `save`.

        Returns:
          The fitted classifier.

        Raises:
          ModelError: the folder holds none.
        """
        folder = Path(folder)
        missing = [f for f in (SETTINGS_FILE, _CATEGORIES_FILE) if not (folder / f).is_file()]
        if missing:
            raise ModelError(
                f"A classifier's folder must hold {SETTINGS_FILE} and {_CATEGORIES_FILE}. "
                f"Received {folder}, which lacks {' and '.join(missing)}. Name a folder that "
                "ProductClassifier.save() wrote."
            )
        classifier = cls(Settings.stored(folder / SETTINGS_FILE))
        text = (folder / _CATEGORIES_FILE).read_text(encoding="utf-8")
        classifier._categories = json.loads(text)
        classifier._encoder_folder = folder / storage.ENCODER
        try:
            classifier._model = storage.load_model(
                folder, classifier.settings, len(classifier._categories)
            )
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"A classifier's folder must be whole. Received {folder}: {error}. Save the "
                "classifier again."
            ) from error
        return classifier

    def export(
        self, folder: Union[str, Path], *, metrics: Optional[Mapping[str, Any]] = None
    ) -> None:
        """Writes a SavedModel that takes raw text, for TensorFlow Serving.

        It appears in one stroke, whole: a server that watches the folder above may be running.

        Args:
          folder: of this version; its name should be a whole number to be served.
          metrics: figures to keep in `assets.extra/metrics.json`, as JSON can hold them; None for
            none.

        Raises:
          OutputError: the folder cannot be written, or holds other files.
        """
        serving = ServingModel(
            self.model, self._categories, self.settings.data.fields, self.settings.push.top_k
        )
        export_saved_model(serving, self.settings, Path(folder), metrics)

    def _show(
        self,
        log_dir: Path,
        val: EncodedExamples,
        trained: Trained,
        wandb_run: Optional[WandbRun],
    ) -> None:
        scores, paths = trained.scores["val"], self._categories
        pictures = write_summaries(log_dir, self.settings, paths, val.labels, scores)
        if wandb_run is not None:
            wandb_run.add_end(
                {split: found.headline() for split, found in trained.metrics.items()},
                {split: found.headline() for split, found in trained.baseline.items()},
                {name: pixels.numpy() for name, pixels in pictures.items()},
            )
        if trained.embedded is not None:
            write_projector(log_dir, self.settings.data, paths, val, scores, trained.embedded)

    def _scores(self, texts: Mapping[str, Sequence[str]]) -> np.ndarray:
        model = self.model
        if self._scorer is None:
            self._scorer = BranchScorer(model)
        labels = np.zeros(len(next(iter(texts.values()))), np.int32)
        return self._scorer.scores(EncodedExamples.from_texts(texts, labels, model.text_to_ids))

    def _folder(self) -> Path:
        if self._encoder_folder is None:
            self._encoder_folder = encoder_folder(self.settings.encoder.name)
        return self._encoder_folder


def _pick(
    texts: Mapping[str, list[str]], paths: list[str], chosen: np.ndarray
) -> tuple[dict[str, list[str]], list[str]]:
    rows = np.flatnonzero(chosen)
    return (
        {name: [column[row] for row in rows] for name, column in texts.items()},
        [paths[row] for row in rows],
    )


def _numbers(paths: Sequence[str], categories: Sequence[str]) -> np.ndarray:
    number = {path: index for index, path in enumerate(categories)}
    return np.array([number[path] for path in paths], np.int32)


def _check_chosen(val_paths: Sequence[str], rows: int, share: float) -> None:
    if not val_paths:
        raise InputError(
            "Some rows must be left to choose the best weights. Received "
            f"{rows} rows, of which a data.val_share of {share} chose none. Give more rows, a "
            "larger share, or validation rows."
        )


def _check_categories(paths: Sequence[str]) -> None:
    if len(set(paths)) < 2:
        raise InputError(
            "A classifier needs at least two categories to tell apart. Received "
            f"{len(set(paths))} in the training rows. Check the label column."
        )


def _check_val_rows(categories: Sequence[str], val_paths: Sequence[str]) -> None:
    unknown = sorted(set(val_paths) - set(categories))
    if unknown or not val_paths:
        received = f"{unknown[0]!r}, which no training row has" if unknown else "no rows"
        raise InputError(
            "Validation rows must be there, of categories that training rows have. Received "
            f"{received}. Give other validation rows, or leave them out to have some chosen."
        )
