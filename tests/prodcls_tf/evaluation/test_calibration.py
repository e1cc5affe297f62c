"""Calibration: bins, their figures, and the expected error."""

from __future__ import annotations

import numpy as np
import pytest

from prodcls_tf.errors import InputError
from prodcls_tf.evaluation.calibration import Calibration


def scores_of(best: list[float]) -> np.ndarray:
    return np.array([[score, 1.0 - score] for score in best])


def test_error_is_the_mean_gap_weighted_by_rows():
    scores = scores_of([0.95, 0.95, 0.95, 0.75])
    found = Calibration.of(np.array([0, 0, 1, 0]), scores)
    assert found.error == pytest.approx(3 / 4 * (0.95 - 2 / 3) + 1 / 4 * 0.25)


def test_scores_that_keep_their_word_have_no_error():
    labels = np.array([0] * 8 + [1] * 2)
    assert Calibration.of(labels, scores_of([0.8] * 10)).error == pytest.approx(0.0)


def test_bin_holds_its_upper_edge():
    rows = Calibration.of(np.array([0, 0, 0]), scores_of([0.5, 0.51, 1.0]), bins=2).rows
    assert rows.tolist() == [1, 2]


def test_bin_without_rows_counts_for_nothing():
    found = Calibration.of(np.array([0]), scores_of([0.95]))
    assert found.rows.sum() == found.rows[-1] == 1
    assert not found.score[:-1].any() and not found.accuracy[:-1].any()


def test_sum_that_rounds_over_one_is_taken_for_one():
    assert Calibration.of(np.array([0]), np.array([[1.0 + 1e-6, 0.0]])).rows[-1] == 1


@pytest.mark.parametrize("scores", [[[4.0, -1.0]], [[-0.5, -0.2]], [[np.nan, 0.1]]])
def test_what_is_no_score_is_refused(scores):
    with pytest.raises(InputError, match="between 0 and 1"):
        Calibration.of(np.array([0]), np.array(scores))


@pytest.mark.parametrize(("rows", "bins"), [(0, 10), (1, 0)])
def test_nothing_to_count_is_refused(rows, bins):
    with pytest.raises(InputError, match="at least one bin"):
        Calibration.of(np.zeros(rows, int), np.full((rows, 2), 0.5), bins)
