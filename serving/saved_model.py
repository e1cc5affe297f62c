"""Asks a SavedModel in this process, without a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import tensorflow as tf

# Registers the ops of the tokenizer that is part of the graph.
import tensorflow_text  # noqa: F401

from prodcls_tf.errors import InputError, ModelError
from prodcls_tf.settings import Settings
from serving.versions import find_version

SIGNATURE = "serving_default"
EVALUATION = "evaluate"
OUTPUTS = ("categories", "scores")

Answer = list[tuple[str, float]]


class LocalModel:
    """A pushed model, loaded into this process; it answers as TensorFlow Serving would.

    Args:
      folder: anything that `find_version` takes: a run's output, a model's base, a version.

    Attributes:
      folder: the version's folder.
      fields: the names of the inputs, the title first.
      columns: the columns of a product file that they were trained on, in the same order.
      categories: all category paths that it knows, by number.
      settings: the settings it was trained with; None if none were stored.

    Raises:
      ModelError: there is no such model, it cannot be loaded, or it breaks the contract of
        docs/model-contract.md.

    Example:
      >>> model = LocalModel("runs/demo")  # doctest: +SKIP
      >>> model.ask({"title": ["usb c cable 2m"], "description": [""]})  # doctest: +SKIP
      [[('Electronics > Cables', 0.97), ('Electronics > Chargers', 0.01)]]
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = find_version(folder)
        # A function of a SavedModel lives only as long as the object that was loaded.
        self._model = _load(self.folder)
        self._signature = self._model.signatures[SIGNATURE]
        self.categories = _categories(self._model, self.folder)
        self.settings = _settings(self.folder)
        self.fields, self.columns = _names(_inputs(self._signature), self.settings)

    def ask(self, texts: Mapping[str, Sequence[str]], *, batch_size: int = 64) -> list[Answer]:
        """Classifies rows.

        Args:
          texts: one list of strings for each of `fields`, all of one length.
          batch_size: rows that are asked at once. Rows of like length go together, since a
            batch costs what its longest row costs.

        Returns:
          For each row, in order, its best categories with their scores, best first.

        Raises:
          InputError: a field is missing or unknown, or the lists differ in length.
          ModelError: the model fails on the rows.
        """
        rows = self._rows(texts)
        order = sorted(range(len(rows)), key=lambda row: sum(map(len, rows[row])))
        answers: list[Answer] = [[] for _ in rows]
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            for row, answer in zip(batch, self._answers([rows[n] for n in batch]), strict=True):
                answers[row] = answer
        return answers

    def scores(self, rows: Sequence[Sequence[str]], *, batch_size: int = 64) -> np.ndarray:
        """Scores all categories, through the evaluation signature.

        Args:
          rows: the texts of each row, in the order of `fields`.
          batch_size: rows that are asked at once.

        Returns:
          float32 [rows, categories], each row summing to 1.

        Raises:
          ModelError: the model fails on the rows, or has no such signature.
        """
        evaluate = self._model.signatures.get(EVALUATION)
        if evaluate is None:
            raise ModelError(
                f"To be measured, a model must have a signature {EVALUATION}. Received "
                f"{self.folder} without one. Name a model that `prodcls run` pushed."
            )
        examples = [_example(self.fields, row) for row in rows]
        order = sorted(range(len(rows)), key=lambda row: len(examples[row]))
        scores = np.zeros((len(rows), len(self.categories)), np.float32)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            with self._failing_clearly():
                outputs = evaluate(examples=tf.constant([examples[row] for row in batch]))
            scores[batch] = outputs["scores"].numpy()
        return scores

    def _rows(self, texts: Mapping[str, Sequence[str]]) -> list[tuple[bytes, ...]]:
        if set(texts) != set(self.fields):
            raise InputError(
                f"A question must name the model's text fields: {', '.join(self.fields)}. "
                f"Received: {', '.join(texts) or 'none'}."
            )
        lengths = {field: len(texts[field]) for field in self.fields}
        if len(set(lengths.values())) > 1:
            raise InputError(
                f"All text fields must have one string a row. Received lengths: {lengths}."
            )
        return [
            tuple(map(_encoded, row))
            for row in zip(*(texts[field] for field in self.fields), strict=True)
        ]

    def _answers(self, rows: Sequence[tuple[bytes, ...]]) -> list[Answer]:
        columns = zip(*rows, strict=True)
        inputs = {f: tf.constant(list(c)) for f, c in zip(self.fields, columns, strict=True)}
        with self._failing_clearly():
            outputs = self._signature(**inputs)
        categories, scores = (outputs[name].numpy() for name in OUTPUTS)
        return [
            [(path.decode("utf-8"), float(score)) for path, score in zip(*row, strict=True)]
            for row in zip(categories, scores, strict=True)
        ]

    @contextlib.contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            raise ModelError(
                f"The model in {self.folder} must answer the rows it is asked. Received: "
                f"{type(error).__name__}: {_first_line(error)} Train it anew with this version."
            ) from error


def _encoded(text: str) -> bytes:
    # A lone surrogate, which JSON can bring, has no UTF-8; it becomes a question mark.
    return text.encode("utf-8", errors="replace")


def _example(fields: Sequence[str], texts: Sequence[str]) -> bytes:
    """One row as a serialized tf.Example."""
    features = {
        field: tf.train.Feature(bytes_list=tf.train.BytesList(value=[_encoded(text)]))
        for field, text in zip(fields, texts, strict=True)
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()


def _load(folder: Path) -> Any:
    """Loads a SavedModel and its `serving_default`, which must be as the contract says."""
    try:
        model = tf.saved_model.load(str(folder))
    except Exception as error:  # truncated, corrupt, other ops: TensorFlow raises many kinds
        raise ModelError(
            f"A SavedModel must be readable. Received {folder}: {type(error).__name__}: "
            f"{_first_line(error)} Copy or push it again, or name an older version."
        ) from error
    signature = model.signatures.get(SIGNATURE)
    found = set() if signature is None else set(signature.structured_outputs)
    if signature is None or not found.issuperset(OUTPUTS):
        raise ModelError(
            f"A model must have a signature {SIGNATURE} with the outputs {' and '.join(OUTPUTS)}. "
            f"Received {folder} with the signatures {', '.join(model.signatures) or 'none'}. "
            "Name a model that `prodcls run` pushed; see docs/model-contract.md."
        )
    return model


def _categories(model: Any, folder: Path) -> list[str]:
    """The model's own list of categories, which is one of its variables."""
    variable = getattr(model, "categories", None)
    if variable is None:
        raise ModelError(
            f"A model must hold its categories. Received {folder}, which does not. Name a model "
            "that `prodcls run` pushed; see docs/model-contract.md."
        )
    return [path.decode("utf-8") for path in variable.numpy()]


def _settings(folder: Path) -> Optional[Settings]:
    file = folder / "assets.extra" / "settings.yaml"
    return Settings.stored(file) if file.is_file() else None


def _inputs(signature: Any) -> list[str]:
    return list(signature.structured_input_signature[1])


def _names(inputs: list[str], settings: Optional[Settings]) -> tuple[list[str], list[str]]:
    """The inputs in the order of the columns they were trained on, and those columns."""
    if settings is not None and set(settings.data.fields) == set(inputs):
        return settings.data.fields, settings.data.text
    ordered = sorted(inputs, key=lambda name: (name != "title", name))
    return ordered, list(ordered)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0].rstrip(".") + "." if lines and lines[0] else ""
