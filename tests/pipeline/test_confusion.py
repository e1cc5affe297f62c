from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from pipeline import confusion


@pytest.mark.parametrize("categories", [2, 5, 40])
def test_figures_agree_with_scikit_learn(categories: int) -> None:
    random = np.random.default_rng(categories)
    labels = random.integers(categories, size=120)
    guesses = np.where(random.random(120) < 0.6, labels, random.integers(categories, size=120))
    counts = Counter(zip(labels.tolist(), guesses.tolist(), strict=True))

    assert confusion.accuracy(counts) == pytest.approx(np.mean(labels == guesses))
    for average, figure in [("macro", confusion.macro_f1), ("weighted", confusion.weighted_f1)]:
        expected = f1_score(labels, guesses, average=average, zero_division=0)
        assert figure(counts) == pytest.approx(expected)

    present = np.union1d(labels, guesses).tolist()
    columns = precision_recall_fscore_support(labels, guesses, labels=present, zero_division=0)
    report = confusion.report(counts)
    assert list(report) == present
    for category, *expected in zip(present, *columns, strict=True):
        assert list(report[category].values()) == pytest.approx(expected)
