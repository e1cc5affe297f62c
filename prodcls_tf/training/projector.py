"""Vectors of validation rows for TensorBoard's projector, with their categories and titles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.errors import OutputError
from prodcls_tf.settings import DataSettings

# The projector runs in a browser, and a row of width 384 takes 1.5 kB.
_MOST_ROWS = 2_000
_LONGEST_TITLE = 100

_VECTORS, _LABELS = "embeddings.bytes", "embeddings.tsv"
# What ends a cell or a line of a TSV file, or is no text.
_NO_TEXT = re.compile(r"[\s\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class EmbeddedRows:
    """Some rows of a split and what the deep branch makes of them.

    Attributes:
      rows: int [chosen rows], their indices in the split.
      vectors: float32 [chosen rows, width], the deep branch's pooled vectors.
    """

    rows: np.ndarray
    vectors: np.ndarray


def rows_to_embed(rows: int) -> np.ndarray:
    """Chooses the rows that the projector shows.

    Args:
      rows: number of rows there are.

    Returns:
      int64 [at most 2,000], indices in order, drawn at random but the same each time.

    Example:
      >>> rows_to_embed(3).tolist(), len(rows_to_embed(1_000_000))
      ([0, 1, 2], 2000)
    """
    if rows <= _MOST_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False))


def write_projector(
    log_dir: Path,
    data: DataSettings,
    categories: Sequence[str],
    examples: EncodedExamples,
    scores: np.ndarray,
    embedded: EmbeddedRows,
) -> None:
    """Writes vectors and labels where TensorBoard's projector finds them.

    Titles are cut at 100 characters and stand in plain text in the folder. Beside them: the
    labelled category and its top level, the predicted category, and whether that is right.

    Args:
      log_dir: TensorBoard's folder; the files go to its `validation` run.
      data: how a path's levels are separated; its first text field is the title.
      categories: the paths by number.
      examples: the validation rows.
      scores: float [rows, categories] of all these rows.
      embedded: those that are shown.

    Raises:
      OutputError: the folder cannot be written.
    """
    folder = log_dir / "validation"
    shown = examples.take(embedded.rows)
    predicted = scores[embedded.rows].argmax(axis=1)
    vectors = np.ascontiguousarray(embedded.vectors, "<f4")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _VECTORS).write_bytes(vectors.tobytes())
        with (folder / _LABELS).open("w", encoding="utf-8", newline="\n") as stream:
            for cells in _labels(data, categories, shown, predicted):
                stream.write("\t".join(_NO_TEXT.sub(" ", cell) for cell in cells) + "\n")
        # Last: TensorBoard may be looking, and this file names the two above.
        _write_config(folder, vectors.shape)
    except OSError as error:
        raise OutputError(
            f"TensorBoard's logs need a folder that can be written, with room. Received {folder}: "
            f"{error}. Check permissions and free space, name another folder, or set "
            "tensorboard.embeddings=false."
        ) from error


def _labels(
    data: DataSettings, categories: Sequence[str], shown: EncodedExamples, predicted: np.ndarray
) -> Iterator[tuple[str, ...]]:
    yield "category", "top level", "predicted", "right", "title"
    titles = next(iter(shown.texts.values())).numpy()
    for label, best, title in zip(shown.labels, predicted, titles, strict=True):
        path = categories[label]
        yield (
            path,
            path.split(data.separator)[0],
            categories[best],
            "right" if label == best else "wrong",
            title.decode("utf-8", "replace")[:_LONGEST_TITLE],
        )


def _write_config(folder: Path, shape: Sequence[int]) -> None:
    # Late: only a training with logs needs it.
    from tensorboard.plugins import projector

    config = projector.ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = "validation rows"
    embedding.tensor_path, embedding.metadata_path = _VECTORS, _LABELS
    embedding.tensor_shape.extend(shape)
    projector.visualize_embeddings(str(folder), config)
