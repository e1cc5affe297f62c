"""Metrics on small cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from prodcls_tf.errors import InputError
from prodcls_tf.evaluation.metrics import Metrics, best_three

LABELS = np.array([0, 0, 1, 2])
SCORES = np.array(
    [[0.9, 0.1, 0.0, 0.0], [0.1, 0.6, 0.2, 0.1], [0.0, 1.0, 0.0, 0.0], [0.4, 0.3, 0.2, 0.1]]
)


def test_headline_figures_of_a_case_counted_by_hand():
    metrics = Metrics.of(LABELS, SCORES)
    # Category 0: precision 1/2, recall 1/2; category 1: 1/2 and 1; category 2: never found.
    assert metrics.accuracy == 0.5
    assert metrics.macro_f1 == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert metrics.weighted_f1 == pytest.approx((2 * 1 / 2 + 2 / 3) / 4)
    assert metrics.top3_accuracy == 1.0


def test_report_names_each_category_that_occurs():
    report = Metrics.of(LABELS, SCORES, ["A", "B", "C", "never"]).categories
    assert [entry.category for entry in report] == ["A", "B", "C"]
    assert [entry.rows for entry in report] == [2, 1, 1]
    assert report[1].precision == 0.5 and report[1].recall == 1.0


def test_top3_works_with_two_categories():
    assert Metrics.of(np.array([1]), np.array([[0.9, 0.1]])).top3_accuracy == 1.0


@pytest.mark.parametrize("categories", [2, 3, 40])
def test_three_best_of_each_row_say_all_that_its_scores_say(categories):
    random = np.random.default_rng(categories)
    # Coarse, so that scores are often equal.
    scores = random.integers(0, 9, (200, categories)).astype(np.float32)
    labels = random.integers(0, categories, 200)
    names = [f"category {number}" for number in range(categories)]
    best = np.concatenate([best_three(chunk) for chunk in np.array_split(scores, 7)])
    assert best.shape == (200, min(3, categories))
    assert Metrics.of_best(labels, best, names) == Metrics.of(labels, scores, names)


def test_three_best_keep_no_more_in_memory():
    assert best_three(np.zeros((4, 1_000))).base is None


def test_no_rows_are_refused():
    with pytest.raises(InputError, match="Received none"):
        Metrics.of(np.array([], int), np.zeros((0, 3)))
