"""Which trials are stopped early."""

from __future__ import annotations

import pytest

from prodcls_tf.tuning.pruning import StopBelow, bars


class Model:
    stop_training = False


@pytest.fixture
def watching():
    def watch(reached: list[float], bar: list[float]) -> StopBelow:
        callback = StopBelow("val_macro_f1", bar)
        callback.model = Model()
        for epoch, figure in enumerate(reached):
            if not callback.model.stop_training:
                callback.on_epoch_end(epoch, {"val_macro_f1": figure})
        return callback

    return watch


def test_there_is_no_bar_before_three_trials():
    assert bars([[0.5], [0.6]]) == []


def test_the_bar_is_the_median_of_the_best_so_far():
    assert bars([[0.1, 0.5, 0.4], [0.2, 0.6, 0.6], [0.3, 0.7, 0.1]]) == [0.2, 0.6, 0.6]


def test_the_bar_ends_where_fewer_than_three_trials_came():
    assert bars([[0.1, 0.5], [0.2], [0.3], [0.4, 0.9]]) == [0.25]


def test_a_trial_under_the_bar_is_stopped(watching):
    assert watching([0.1, 0.2, 0.9], [0.5, 0.5, 0.5]).stopped == 2


def test_a_trial_on_the_bar_goes_on(watching):
    assert watching([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]).stopped is None


def test_an_earlier_epoch_over_the_bar_counts(watching):
    assert watching([0.6, 0.1, 0.1], [0.5, 0.5, 0.5]).stopped is None


def test_the_first_epoch_alone_stops_nothing(watching):
    assert watching([0.1, 0.9], [0.5, 0.5]).stopped is None
