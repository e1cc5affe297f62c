"""`prodcls tune` up to the pipeline, and what is printed after it; tests/pipeline searches."""

from __future__ import annotations

import pytest

from prodcls_tf.cli import search_result
from prodcls_tf.tuning.results import Result, Search, Tried


def tried(number: str, macro_f1: float, **changes: object) -> Tried:
    values = {} if number.startswith("defaults") else {"training.learning_rate": 0.000123}
    metrics = {"macro_f1": macro_f1, "accuracy": 0.9, "weighted_f1": 0.9, "top3_accuracy": 1.0}
    given = {"status": "finished", "metrics": metrics, "seconds": 61.0, **changes}
    return Tried(number=number, values=values, result=Result.model_validate(given))


def found(*others: Tried, number: str = "1") -> Search:
    best = {"training.learning_rate": 0.000123} if number != "defaults" else {}
    trials = [tried("defaults", 0.81), *others]
    return Search(best=best, number=number, trials=trials, objective="macro_f1", rows=1212)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--trials", "0"), ("--max-minutes", "0"), ("--workers", "0"), ("--set", "tuning.space.x=1"),
     ("--set", "tuning.space.training.epochs=[0]"), ("--hparams", "nowhere.yaml")],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(call, products, option, value):
    assert call("tune", products, option, value).code == 2


def test_files_or_a_ready_split_must_be_given(call):
    assert "ready split with --train" in call("tune").err


def test_trials_stand_best_first_with_the_winner_marked(call, capsys):
    search_result.show_search(found(tried("0", 0.7), tried("1", 0.85)))
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "1 min" in line]
    assert [line[:2] for line in lines] == [
        ["1", "0.8500"],
        ["defaults", "0.8100"],
        ["0", "0.7000"],
    ]
    assert lines[0][-1] == "best"


def test_the_gain_is_the_mean_over_the_seeds(call, capsys):
    again = (tried("defaults-seed1", 0.83), tried("1-seed1", 0.84))
    search_result.show_search(found(tried("1", 0.85), *again))
    printed = capsys.readouterr().out
    assert "macro-F1 0.8200 → 0.8450, mean of 2 seeds" in printed
    assert "1-seed1" not in printed


def test_a_search_without_gain_says_so(call, capsys):
    search_result.show_search(found(tried("1", 0.8), number="defaults"))
    assert "none better than those that were given" in capsys.readouterr().out


def test_a_failed_trial_is_told_with_its_reason(call, capsys):
    failed = tried("0", 0.0, status="failed", metrics={}, reason="Out of memory: 9 GB")
    search_result.show_search(found(failed, tried("1", 0.9)))
    assert "trial 0 failed: Out of memory: 9 GB" in " ".join(capsys.readouterr().err.split())


def test_of_many_trials_the_best_are_shown(call, capsys):
    search_result.show_search(
        found(*(tried(str(n), 0.5 + n / 100) for n in range(30)), number="29")
    )
    printed = capsys.readouterr().out
    assert "The best of 31 trials" in printed
    assert len([line for line in printed.splitlines() if "1 min" in line]) == 12
