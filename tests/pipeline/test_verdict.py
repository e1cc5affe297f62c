from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.summary import SplitFigures
from pipeline.training import Version
from pipeline.verdict import bounds_of, verdict

TEST = SplitFigures(rows=31, accuracy=0.6, macro_f1=0.5, weighted_f1=0.6, top3_accuracy=1.0)
BOUNDS = {"min_accuracy": 0.7, "min_macro_f1": 0.5}


def _version(*, there: bool = True, serves: bool = False) -> Version:
    return Version(Path("serving/prodcls/17"), there, serves)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"metrics_specs": [{"metrics": [3]}]}', "null"])
def test_unreadable_configuration_has_no_bounds(text: str) -> None:
    assert bounds_of(text) == {}


def test_missed_bound_is_named_and_a_met_one_is_not() -> None:
    said = verdict(False, [], BOUNDS, TEST)
    assert said == "accuracy on test rows is 0.600, under evaluation.min_accuracy of 0.700"


def test_refusal_without_figures_is_still_told() -> None:
    assert verdict(False, [], BOUNDS, None) == "a gate did not bless it"


def test_reasons_of_the_later_gates_are_told() -> None:
    said = verdict(False, [], {}, TEST, ["a server cannot load the model"])
    assert said == "a server cannot load the model"


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ([_version(serves=True)], "version 17; it serves"),
        ([_version()], "version 17; another one serves"),
        ([_version(there=False)], "version 17, which was deleted since"),
        ([], "was not pushed: the run was stopped before"),
    ],
)
def test_blessed_model_may_have_many_fates(versions: list[Version], said: str) -> None:
    assert verdict(True, versions, BOUNDS, TEST).endswith(said)


def test_model_refused_after_a_push_tells_both() -> None:
    said = verdict(False, [_version(serves=True)], BOUNDS, TEST)
    assert "under evaluation.min_accuracy" in said
    assert "before that, it was pushed as version 17" in said


def test_unmeasured_model_says_so() -> None:
    assert "did not measure it" in verdict(None, [], {}, TEST)
