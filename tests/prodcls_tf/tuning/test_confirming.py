"""Who wins when the best trials are trained again with other seeds."""

from __future__ import annotations

from prodcls_tf.tuning.confirming import Contest

FEW, MANY = {"training.epochs": 3}, {"training.epochs": 8}


def test_the_best_mean_over_the_seeds_wins():
    scores = {"defaults": 0.80, "1": 0.85, "2": 0.84}
    again = {"defaults-seed1": 0.80, "1-seed1": 0.81, "2-seed1": 0.83}
    contest = Contest({"1": FEW, "2": MANY}, {**scores, **again})
    assert contest.winner() == "2"


def test_the_settings_as_they_are_win_where_nothing_gains_over_the_seeds():
    scores = {"defaults": 0.80, "1": 0.83, "defaults-seed1": 0.82, "1-seed1": 0.78}
    assert Contest({"1": FEW}, scores).winner() == "defaults"


def test_a_gain_that_the_other_seed_does_not_have_is_none():
    scores = {"defaults": 0.80, "1": 0.90, "defaults-seed1": 0.80, "1-seed1": 0.79}
    assert Contest({"1": FEW}, scores).winner() == "defaults"


def test_an_equal_trial_is_no_gain():
    assert Contest({"1": FEW}, {"defaults": 0.8, "1": 0.8}).winner() == "defaults"


def test_a_gain_that_is_too_small_is_none():
    scores = {"defaults": 0.800, "1": 0.802, "defaults-seed1": 0.800, "1-seed1": 0.801}
    assert Contest({"1": FEW}, scores, min_gain=0.002).winner() == "defaults"
    assert Contest({"1": FEW}, scores, min_gain=0.001).winner() == "1"


def test_one_seed_decides_where_time_allowed_no_other():
    assert Contest({"1": FEW}, {"defaults": 0.8, "1": 0.81}).winner() == "1"


def test_a_candidate_with_fewer_seeds_than_another_does_not_win():
    scores = {"defaults": 0.80, "1": 0.81, "2": 0.99, "defaults-seed1": 0.8, "1-seed1": 0.81}
    assert Contest({"2": MANY, "1": FEW}, scores).winner() == "1"


def test_a_candidate_that_failed_with_another_seed_does_not_win():
    scores = {"defaults": 0.80, "1": 0.85, "defaults-seed1": 0.80, "1-seed1": None}
    assert Contest({"1": FEW}, scores).winner() == "defaults"


def test_no_trial_at_all_leaves_the_settings_as_they_are():
    assert Contest({}, {"defaults": 0.8}).winner() == "defaults"


def test_only_better_candidates_are_trained_again():
    contest = Contest({"1": FEW, "2": MANY}, {"defaults": 0.8, "1": 0.9, "2": 0.7})
    assert [entry.number for entry in contest.entries(2, first=7)] == [
        "defaults-seed1", "1-seed1", "defaults-seed2", "1-seed2"
    ]  # fmt: skip
    assert contest.entries(1, first=7)[1].values == {**FEW, "training.seed": 8}


def test_nothing_is_trained_again_where_no_candidate_is_better():
    assert Contest({"1": FEW}, {"defaults": 0.8, "1": 0.8}).entries(2, first=0) == []
