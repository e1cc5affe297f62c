"""Which trials are stopped early."""

from __future__ import annotations

from fractions import Fraction

import pytest

from prodcls_tf.tuning.pruning import Course, StopBelow, bar


class Model:
    stop_training = False


def courses(*curves: list[float]) -> list[Course]:
    return [Course(curve=curve, epochs=len(curve)) for curve in curves]


@pytest.fixture
def watching():
    def watch(reached: list[float], others: list[Course], epochs: int = 0) -> StopBelow:
        callback = StopBelow("val_macro_f1", others)
        callback.model = Model()
        callback.set_params({"epochs": epochs or len(reached)})
        callback.on_train_begin()
        for epoch, figure in enumerate(reached):
            if not callback.model.stop_training:
                callback.on_epoch_end(epoch, {"val_macro_f1": figure})
        return callback

    return watch


HALF_WAY = courses([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5])


def test_there_is_no_bar_before_three_trials():
    assert bar(courses([0.5], [0.6]), Fraction(1)) is None


@pytest.mark.parametrize(("done", "reached"), [(1, 0.2), (2, 0.6), (3, 0.6)])
def test_the_bar_is_the_median_of_the_best_so_far(done, reached):
    others = courses([0.1, 0.5, 0.4], [0.2, 0.6, 0.6], [0.3, 0.7, 0.1])
    assert bar(others, Fraction(done, 3)) == reached


def test_a_long_training_is_held_to_the_same_share_of_short_ones():
    others = courses([0.1, 0.9], [0.2, 0.9], [0.3, 0.9])
    assert bar(others, Fraction(2, 4)) == 0.2
    assert bar(others, Fraction(3, 4)) == 0.2
    assert bar(others, Fraction(4, 4)) == 0.9


def test_a_training_that_patience_ended_is_taken_as_far_as_it_went():
    others = [Course(curve=[0.1, 0.5], epochs=8)] * 3
    assert bar(others, Fraction(1, 2)) == 0.5
    assert bar(others, Fraction(1, 8)) == 0.1


def test_trials_that_had_no_epoch_by_then_do_not_count():
    others = courses([0.1], [0.2, 0.3], [0.3, 0.4], [0.4, 0.5])
    assert bar(others, Fraction(1, 2)) == 0.3
    assert bar(others, Fraction(1, 3)) is None


def test_a_trial_under_the_bar_is_stopped(watching):
    assert watching([0.1, 0.2, 0.9], HALF_WAY).stopped == 2


def test_a_trial_on_the_bar_goes_on(watching):
    assert watching([0.5, 0.5, 0.5], HALF_WAY).stopped is None


def test_an_earlier_epoch_over_the_bar_counts(watching):
    assert watching([0.6, 0.1, 0.1], HALF_WAY).stopped is None


def test_the_first_epoch_alone_stops_nothing(watching):
    assert watching([0.1, 0.9, 0.9], HALF_WAY).stopped is None


def test_nothing_is_stopped_where_there_are_no_others(watching):
    assert watching([0.1, 0.1, 0.1], []).stopped is None
