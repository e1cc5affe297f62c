"""Two models on the same rows: what counts as a fall, and how it is told."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from prodcls_tf.evaluation.comparing import compare
from prodcls_tf.evaluation.comparison import Change, Comparison
from prodcls_tf.sections.release import EvaluationSettings

SETTINGS = EvaluationSettings(slice_rows=10)


def _answers(right: list[str], wrong: int, start: int = 0) -> list[str]:
    """The right answers but for so many."""
    return [
        "wrong" if start <= row < start + wrong else category for row, category in enumerate(right)
    ]


def _compare(wrong_before: int, wrong_after: int, rows: int = 1000, **more: object) -> Comparison:
    right = ["A", "B"] * (rows // 2)
    before, after = _answers(right, wrong_before), _answers(right, wrong_after)
    return compare("17", right, before, after, {}, SETTINGS.model_copy(update=more))


def _accuracy(comparison: Comparison) -> Change:
    return comparison.changes[0]


def test_same_answers_are_no_fall() -> None:
    assert _compare(100, 100).reasons(SETTINGS) == []


def test_better_model_passes_however_strict_the_bound() -> None:
    assert not any(change.fell for change in _compare(100, 50, max_drop=0.0).changes)


def test_clear_fall_is_told_with_figures_bound_and_setting() -> None:
    accuracy, *_ = _compare(10, 100).reasons(SETTINGS)
    assert accuracy == (
        "accuracy on 1,000 test rows is 0.900, under the 0.990 of version 17, which serves, by "
        "0.090: evaluation.max_drop allows 0.005, and chance explains 0.018"
    )


def test_fall_that_may_be_chance_does_not_count() -> None:
    # Each model errs where the other does not: 10 rows against 14.
    right = ["A", "B"] * 500
    found = compare("17", right, _answers(right, 10), _answers(right, 14, 500), {}, SETTINGS)
    assert _accuracy(found).before - _accuracy(found).after == pytest.approx(0.004)
    assert _accuracy(found).allowed == pytest.approx(0.0098, abs=1e-4)
    assert not _accuracy(found).fell


def test_without_an_allowance_for_chance_the_bound_is_strict() -> None:
    one_more = EvaluationSettings(max_drop=0.0, chance_errors=0.0)
    before, after = ["A"] * 100, ["A"] * 99 + ["B"]
    found = compare("17", before, before, after, {}, one_more)
    assert [(change.fell, change.allowed) for change in found.changes] == [(True, 0.0)] * 2
    usual = compare("17", before, before, after, {}, EvaluationSettings(max_drop=0.0))
    assert not usual.changes[0].fell


def test_largest_bound_lets_any_model_through() -> None:
    assert _compare(0, 1000, max_drop=1.0).reasons(SETTINGS) == []


def test_macro_f1_is_that_of_the_library() -> None:
    random = np.random.default_rng(3)
    right, before, after = (list(random.choice(list("ABCDE"), 200)) for _ in range(3))
    macro = compare("17", right, before, after, {}, SETTINGS).changes[1]
    assert macro.before == pytest.approx(f1_score(right, before, average="macro"))
    assert macro.after == pytest.approx(f1_score(right, after, average="macro"))


def test_lost_rare_category_shows_in_macro_f1_alone() -> None:
    right = ["A"] * 980 + ["B"] * 20
    found = compare("17", right, right, ["A"] * 1000, {}, EvaluationSettings(max_drop=0.03))
    assert [(change.metric, change.fell) for change in found.changes] == [
        ("accuracy", False),
        ("macro_f1", True),
    ]


def test_category_that_the_old_model_does_not_know_is_its_error() -> None:
    right = ["old"] * 10 + ["new"] * 10
    found = compare("17", right, ["old"] * 20, right, {}, SETTINGS)
    assert (_accuracy(found).before, _accuracy(found).after) == (0.5, 1.0)


SLICES = {"category": ["Audio"] * 20 + ["Home"] * 180, "language": ["en"] * 200}


def _on_slices(slice_rows: int) -> Comparison:
    """A model that is better overall and lost half of Audio."""
    right = ["Audio"] * 20 + ["Home"] * 180
    before, after = _answers(right, 60, 100), _answers(right, 10, 5)
    settings = EvaluationSettings(slice_rows=slice_rows)
    return compare("17", right, before, after, SLICES, settings)


def test_slice_that_fell_is_named_though_the_whole_is_better() -> None:
    (reason,) = _on_slices(20).reasons(SETTINGS)
    assert reason == (
        "accuracy on 20 test rows of category 'Audio' is 0.500, under the 1.000 of version 17, "
        "which serves, by 0.500: evaluation.max_slice_drop allows 0.050, and chance explains 0.224"
    )


def test_slice_with_too_few_rows_is_not_judged() -> None:
    assert [change.slice for change in _on_slices(21).changes] == [None, None, "Home"]


def test_slice_of_all_rows_is_not_told_twice() -> None:
    assert "language" not in [change.kind for change in _on_slices(1).changes]


def test_model_that_fell_everywhere_is_told_in_few_sentences() -> None:
    right = [f"{n}" for n in range(20) for _ in range(10)]
    found = compare("17", right, right, ["wrong"] * 200, {"category": right}, SETTINGS)
    assert found.reasons(SETTINGS)[-1] == "and 16 more slices fell too far"


def test_comparison_is_kept_as_json() -> None:
    found = _on_slices(20)
    assert Comparison.model_validate_json(found.model_dump_json()) == found
    assert '"fell":true' in found.model_dump_json()


def test_line_has_both_figures() -> None:
    assert _compare(100, 50).line.startswith(
        "beside version 17, which served: accuracy 0.900 → 0.950, macro-F1 "
    )
