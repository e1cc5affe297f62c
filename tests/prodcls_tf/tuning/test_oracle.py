"""KerasTuner's oracles: the same trials after a kill as without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from keras_tuner.engine.oracle import Oracle

from prodcls_tf.settings import Settings
from prodcls_tf.tuning.dimensions import setting_values
from prodcls_tf.tuning.oracle import make_oracle

# A third of them is drawn by lot, before a model of the results guides the others.
FEW = 15

ALGORITHMS = ["bayesian", "random", "hyperband"]


def opened(algorithm: str, folder: Path, trials: int = 30) -> Oracle:
    """An oracle, with the state that a former one left in the folder."""
    overrides = [f"tuning.algorithm={algorithm}", f"tuning.trials={trials}"]
    settings = Settings.load(overrides=overrides)
    oracle = make_oracle(settings, width=384)
    oracle._set_project_dir(str(folder), "oracle")
    if (folder / "oracle" / "oracle.json").exists():
        oracle.reload()
    return oracle


def ended(oracle: Oracle, trials: int) -> None:
    """Asks for trials and ends them; their figure is what their values come to."""
    for _ in range(trials):
        trial = oracle.create_trial("tuner0")
        numbers = [v for v in trial.hyperparameters.values.values() if isinstance(v, float)]
        oracle.update_trial(trial.trial_id, {"macro_f1": sum(numbers) % 1.0})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)


def tried(oracle: Oracle) -> list[dict[str, object]]:
    return [oracle.trials[number].hyperparameters.values for number in oracle.start_order]


@pytest.fixture(scope="module", params=ALGORITHMS)
def whole(request, tmp_path_factory) -> tuple[str, list[dict[str, object]]]:
    """An algorithm, and what it tries where nothing happens to it: 5 by lot, 3 by its model."""
    oracle = opened(request.param, tmp_path_factory.mktemp("whole"), FEW)
    ended(oracle, 8)
    return request.param, tried(oracle)


def test_a_search_that_goes_on_tries_what_it_would_have_tried(whole, tmp_path):
    algorithm, values = whole
    for _ in range(4):
        ended(opened(algorithm, tmp_path / "parts", FEW), 2)
    assert tried(opened(algorithm, tmp_path / "parts", FEW)) == values


def test_a_trial_that_was_under_way_is_handed_out_again(whole, tmp_path):
    algorithm, values = whole
    before = opened(algorithm, tmp_path / "parts", FEW)
    ended(before, 6)
    lost = before.create_trial("tuner0")
    after = opened(algorithm, tmp_path / "parts", FEW)
    assert after.create_trial("tuner0").trial_id == lost.trial_id
    assert tried(after) == values[:7]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_trial_that_has_ended_is_not_handed_out_again(algorithm, tmp_path):
    ended(opened(algorithm, tmp_path), 5)
    oracle = opened(algorithm, tmp_path)
    assert oracle.create_trial("tuner0").trial_id not in oracle.start_order[:5]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_trial_that_the_state_knows_nothing_of_is_left_out(algorithm, tmp_path):
    oracle = opened(algorithm, tmp_path)
    ended(oracle, 3)
    state = (tmp_path / "oracle" / "oracle.json").read_bytes()
    ghost = oracle.create_trial("tuner0")
    (tmp_path / "oracle" / "oracle.json").write_bytes(state)
    assert ghost.trial_id not in opened(algorithm, tmp_path).trials


def test_hyperband_gives_the_best_of_its_trials_more_epochs(tmp_path):
    oracle = opened("hyperband", tmp_path)
    ended(oracle, 6)
    *first, last = (oracle.trials[number] for number in oracle.start_order)
    best = max(first, key=lambda trial: trial.score)
    values, longer = (setting_values(trial.hyperparameters.values) for trial in (best, last))
    assert longer == {**values, "training.epochs": 8}
    assert values["training.epochs"] == 3


def test_hyperband_goes_on_until_the_trials_are_used_up(tmp_path):
    oracle = opened("hyperband", tmp_path)
    ended(oracle, 30)
    epochs = {values["tuner/epochs"] for values in tried(oracle)}
    assert len(epochs) > 1
    assert oracle.create_trial("tuner0").status == "STOPPED"
