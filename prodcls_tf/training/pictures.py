"""Pictures of what a model does to validation rows, for TensorBoard."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from sklearn.metrics import confusion_matrix

from prodcls_tf.evaluation.calibration import Calibration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More categories than this make a picture that nobody can read; the ones with most rows are shown.
_MOST_CATEGORIES = 40

# The share of so few rows says little.
_FEW = 10

_BLUE, _RED = "#3b6ea5", "#c44e52"


def confusion_picture(
    categories: Sequence[str], labels: np.ndarray, predicted: np.ndarray
) -> tf.Tensor:
    """Draws where the rows of each category were put, as shares of its rows.

    Args:
      categories: the paths by number; the 40 with most rows are drawn.
      labels: int [rows].
      predicted: int [rows], the best category of each row.

    Returns:
      uint8 [height, width, 4].
    """
    rows = np.bincount(labels, minlength=len(categories))
    shown = np.sort(np.argsort(-rows, kind="stable")[:_MOST_CATEGORIES])
    counts = confusion_matrix(labels, predicted, labels=np.arange(len(categories)))
    shares = counts[np.ix_(shown, shown)] / np.maximum(rows[shown], 1)[:, None]
    side = 3.5 + 0.24 * len(shown)
    figure = _figure(side + 1, side)
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
    return _pixels(figure)


def calibration_picture(labels: np.ndarray, scores: np.ndarray) -> tf.Tensor:
    """Draws a reliability diagram (Guo et al. 2017, figure 1) over the rows in each of its bins.

    Args:
      labels: int [rows].
      scores: float [rows, categories].

    Returns:
      uint8 [height, width, 4].
    """
    found = Calibration.of(labels, scores)
    figure = _figure(4.4, 5.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    middles = (found.edges[1:] + found.edges[:-1]) / 2
    width = 0.94 * (found.edges[1] - found.edges[0])
    for bins, alpha, name in (
        (found.rows >= _FEW, 1.0, "share that is right"),
        ((found.rows > 0) & (found.rows < _FEW), 0.3, f"the same of under {_FEW} rows"),
    ):
        above.bar(middles[bins], found.accuracy[bins], width, color=_BLUE, alpha=alpha, label=name)
    filled = found.rows > 0
    above.plot(found.score[filled], found.accuracy[filled], "o", color=_RED, label="mean score")
    above.plot([0, 1], [0, 1], "--", color="0.4", linewidth=1, label="as it should be")
    above.set_xlim(0, 1)
    above.set_ylim(0, 1.05)
    above.set_ylabel("share that is right")
    above.set_title(
        f"best score against the truth, {len(labels):,} validation rows\n"
        f"expected calibration error {found.error:.3f}",
        fontsize=10,
    )
    below.bar(middles, found.rows / len(labels), width, color="0.6")
    below.set_ylabel("share of rows")
    below.set_xlabel("score of the best category")
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return _pixels(figure)


def _figure(width: float, height: float) -> Figure:
    # Matplotlib's object interface: no global state, no window system. Imported late: it takes a
    # third of a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _pixels(figure: Figure) -> tf.Tensor:
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
