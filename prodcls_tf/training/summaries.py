"""What a finished training shows in TensorBoard beside its curves."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.metrics import confusion_matrix

from prodcls_tf.settings import Settings

# More categories than this make a picture that nobody can read; the ones with most rows are shown.
_MOST_CATEGORIES = 40


def write_summaries(
    log_dir: Path,
    settings: Settings,
    categories: Sequence[str],
    labels: np.ndarray,
    scores: np.ndarray,
) -> None:
    """Writes the settings as text and the validation rows' confusion matrix as a picture.

    Args:
      log_dir: TensorBoard's folder; the summaries go to its `validation` run.
      settings: of the training.
      categories: the paths by number.
      labels: int [rows].
      scores: float [rows, categories].
    """
    with tf.summary.create_file_writer(str(log_dir / "validation")).as_default(step=0):
        yaml = "\n".join(f"    {line}" for line in settings.to_yaml().splitlines())
        tf.summary.text("settings", yaml)
        picture = _confusion_picture(categories, labels, scores.argmax(axis=1))
        tf.summary.image("confusion matrix", picture[None])


def _confusion_picture(
    categories: Sequence[str], labels: np.ndarray, predicted: np.ndarray
) -> tf.Tensor:
    # Matplotlib's object interface: no global state, no window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = np.bincount(labels, minlength=len(categories))
    shown = np.sort(np.argsort(-rows, kind="stable")[:_MOST_CATEGORIES])
    counts = confusion_matrix(labels, predicted, labels=np.arange(len(categories)))
    shares = counts[np.ix_(shown, shown)] / np.maximum(rows[shown], 1)[:, None]
    side = 3.5 + 0.24 * len(shown)
    figure = Figure(figsize=(side + 1, side), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    names = [_shown_name(number, categories[number]) for number in shown]
    axes.set_xticks(range(len(shown)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(shown)), names, fontsize=7)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    left_out = len(categories) - len(shown)
    axes.set_title(
        "share of each category's validation rows"
        + (f" ({left_out} small categories not shown)" if left_out else ""),
        fontsize=9,
    )
    figure.colorbar(image, ax=axes, shrink=0.6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return tf.io.decode_png(buffer.getvalue(), channels=4)


def _shown_name(number: int, category: str) -> str:
    """The end of a path, which tells leaves apart; its number where the font lacks a character."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    drawable = get_font(findfont(FontProperties())).get_charmap()
    if not all(ord(character) in drawable for character in category):
        return f"category {number}"
    return category if len(category) <= 38 else f"…{category[-37:]}"
