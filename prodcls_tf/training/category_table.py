"""A table of all categories, worst first, as TensorBoard's text dashboard shows it."""

from __future__ import annotations

import re

from prodcls_tf.evaluation.metrics import CategoryMetrics, Metrics

# The worst are what is looked for; a page of thousands of rows takes a browser long.
_MOST_CATEGORIES = 200

_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+\-.!|]")


def category_table(metrics: Metrics) -> str:
    """Writes a Markdown table of the categories that were measured.

    Args:
      metrics: with a report per category.

    Returns:
      A sentence, and a table with F1, precision, recall and rows of each category, lowest F1
      first, of equal ones the one with more rows. 200 categories at most; the sentence says how
      many are left out.

    Example:
      >>> metrics = Metrics.of(np.array([0, 1]), np.eye(2), ["Cables", "Mice"])  # doctest: +SKIP
      >>> print(category_table(metrics))  # doctest: +SKIP
      2 categories, lowest F1 first; mean F1 1.000.
      <BLANKLINE>
      | category | F1 | precision | recall | rows |
      |:---|---:|---:|---:|---:|
      | Cables | 1.000 | 1.000 | 1.000 | 1 |
      | Mice | 1.000 | 1.000 | 1.000 | 1 |
    """
    entries = sorted(metrics.categories, key=lambda entry: (entry.f1, -entry.rows, entry.category))
    shown = entries[:_MOST_CATEGORIES]
    left_out = len(entries) - len(shown)
    sentence = f"{len(entries):,} categories, lowest F1 first; mean F1 {metrics.macro_f1:.3f}."
    if left_out:
        sentence += f" Not shown: the {left_out:,} with the highest F1, {shown[-1].f1:.3f} or more."
    head = ["| category | F1 | precision | recall | rows |", "|:---|---:|---:|---:|---:|"]
    return "\n".join([sentence, "", *head, *map(_line, shown)])


def _line(entry: CategoryMetrics) -> str:
    # A category is any text: what Markdown or HTML would take for its own is escaped.
    name = " ".join(entry.category.split())
    name = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    name = _SPECIAL.sub(r"\\\g<0>", name)
    figures = f"{entry.f1:.3f} | {entry.precision:.3f} | {entry.recall:.3f} | {entry.rows:,}"
    return f"| {name} | {figures} |"
