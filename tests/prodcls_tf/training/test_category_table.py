"""The table of categories: its order, its bounds, and names that are no Markdown."""

from __future__ import annotations

import numpy as np
import pytest
from tensorboard.plugin_util import markdown_to_safe_html

from prodcls_tf.evaluation.metrics import Metrics
from prodcls_tf.training.category_table import category_table


def metrics_of(names: list[str], wrong: int = 0) -> Metrics:
    """One row a category, the first so many of them wrong."""
    labels = np.arange(len(names))
    best = labels.copy()
    best[:wrong] = len(names) - 1
    return Metrics.of(labels, np.eye(len(names))[best], names)


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[4:]]


def test_worst_category_comes_first():
    rows = cells(category_table(metrics_of(["Mice", "Cables", "Audio"], wrong=1)))
    assert [row[0] for row in rows] == ["Mice", "Audio", "Cables"]
    assert rows[0][1:] == ["0.000", "0.000", "0.000", "1"]
    assert rows[1][1:] == ["0.667", "0.500", "1.000", "1"]


def test_of_equal_categories_the_larger_comes_first():
    metrics = Metrics.of(np.array([0, 1, 1]), np.eye(2)[[0, 1, 1]], ["A", "B"])
    assert [row[0] for row in cells(category_table(metrics))] == ["B", "A"]


def test_table_of_thousands_has_the_worst_and_says_what_is_left_out():
    table = category_table(metrics_of([f"c{i}" for i in range(3_000)], wrong=5))
    assert len(cells(table)) == 200
    assert {row[1] for row in cells(table)[:5]} == {"0.000"}
    assert "3,000 categories" in table
    assert "Not shown: the 2,800 with the highest F1, 1.000 or more." in table


@pytest.mark.parametrize(
    "name",
    ["A|B > C", "*bold* _it_", "<script>x</script>", "[a](b)", "`x`", "手机 > 壳", "A & B &lt; C"],
)
def test_any_name_is_shown_as_it_is(name):
    html = markdown_to_safe_html(category_table(metrics_of([name, "other"])))
    shown = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f">{shown}</td>" in html
    assert html.count("<tr>") == 3


def test_name_of_several_lines_stays_one_row():
    assert cells(category_table(metrics_of(["A\n\tB", "C"])))[0][0] == "A B"
