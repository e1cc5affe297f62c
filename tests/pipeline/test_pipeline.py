from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import yaml
from tfx.dsl.compiler.compiler import Compiler

from pipeline.arguments import Encoder, Places, Sources, search_name, trainer_settings
from pipeline.pipeline import create_pipeline
from prodcls_tf.settings import Settings

# No such path exists: the pipeline is made without a look at any file.
SOURCES = Sources({"all": ["no/products.csv"]}, fingerprint="f1", version="1")
ENCODER = Encoder("no/encoder", vocabulary_digest="v1", digest="e1")
PLACES = Places(
    *("no/root", "no/metadata.sqlite", "no/serving", "no/logs", "no/checkpoints", "no/searches"),
    schema="no/schema",
    rejects="no/rejects.csv",
    splits="no/splits",
)


def _steps(*overrides: str, **how: Any) -> dict[str, bytes]:
    """What TFX decides by whether a step's former result holds, by step."""
    pipeline = create_pipeline(
        Settings.load(overrides=overrides),
        name="shop",
        sources=SOURCES,
        encoder=ENCODER,
        places=PLACES,
        **how,
    )
    nodes = [node.pipeline_node for node in Compiler().compile(pipeline).nodes]
    return {
        node.node_info.id: node.parameters.SerializeToString(deterministic=True) for node in nodes
    }


def _changed(*overrides: str, of: tuple[str, ...] = ()) -> list[str]:
    before, after = _steps(*of), _steps(*of, *overrides)
    return [name for name in before if before[name] != after[name]]


def test_steps_follow_the_way_of_a_row() -> None:
    assert list(_steps()) == [
        "ProductExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "SchemaGate",
        "Transform",
        "Trainer",
        "Evaluator",
        "Comparison",
        "Canary",
        "Pusher",
    ]


def test_each_setting_reaches_only_the_steps_that_depend_on_it() -> None:
    assert _changed() == []
    assert _changed("training.epochs=9") == ["Trainer"]
    assert _changed("push.top_k=3") == ["Trainer"]
    assert _changed("push.keep=3") == ["Pusher"]
    assert _changed("evaluation.min_accuracy=0.9") == ["Evaluator"]
    assert _changed("evaluation.max_slice_drop=0.1") == ["Comparison"]
    assert _changed("evaluation.canary_seconds=9") == ["Canary"]
    assert _changed("encoder.max_length=64") == ["Transform", "Trainer"]
    assert _changed("checks.max_skew=0.3") == ["SchemaGate"]
    assert _changed("data.val_share=0.3") == ["ProductExampleGen", "SchemaGate", "Trainer"]
    assert _changed("data.text=[name]") == [
        "ProductExampleGen", "SchemaGate", "Transform", "Trainer", "Comparison",
    ]  # fmt: skip


def test_nothing_is_pushed_without_the_word_of_each_gate() -> None:
    pipeline = create_pipeline(
        Settings(), name="shop", sources=SOURCES, encoder=ENCODER, places=PLACES
    )
    steps = {step.id: step for step in pipeline.components}
    needed = {
        name: channel.producer_component_id for name, channel in steps["Pusher"].inputs.items()
    }
    assert needed == {
        "model": "Trainer",
        "model_blessing": "Comparison",
        "infra_blessing": "Canary",
    }
    assert steps["Comparison"].inputs["evaluated"].producer_component_id == "Evaluator"


def test_another_accepted_state_runs_the_gate_alone() -> None:
    before, after = _steps(), _steps(accepted="digest")
    assert [name for name in before if before[name] != after[name]] == ["SchemaGate"]


def test_nothing_is_made_of_rows_before_the_gate_let_them_through() -> None:
    pipeline = create_pipeline(
        Settings(), name="shop", sources=SOURCES, encoder=ENCODER, places=PLACES
    )
    nodes = [node.pipeline_node for node in Compiler().compile(pipeline).nodes]
    (transform,) = [node for node in nodes if node.node_info.id == "Transform"]
    assert "SchemaGate" in transform.upstream_nodes


def test_checks_that_are_switched_off_are_no_step() -> None:
    assert "SchemaGate" not in _steps("checks.enabled=false")


SEARCHING = ("tuning.enabled=true",)


def test_a_search_stands_between_transform_and_trainer() -> None:
    assert list(_steps(*SEARCHING))[5:8] == ["Transform", "Tuner", "Trainer"]


def test_a_search_that_was_made_before_is_looked_up() -> None:
    assert list(_steps(*SEARCHING, searched=True))[5:8] == ["Transform", "FormerSearch", "Trainer"]


def test_a_search_alone_ends_with_the_tuner() -> None:
    assert list(_steps(*SEARCHING, only_search=True))[-1] == "Tuner"


def test_only_what_a_search_depends_on_makes_another_one() -> None:
    assert _changed("push.top_k=3", of=SEARCHING) == ["Trainer"]
    assert _changed("tensorboard.profile_steps=3", of=SEARCHING) == ["Trainer"]
    assert _changed("tuning.trials=3", of=SEARCHING) == ["Tuner"]
    assert _changed("training.patience=9", of=SEARCHING) == ["Tuner", "Trainer"]


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("tuning.workers=2", True),
        ("tuning.chief='10.0.0.1:8000'", True),
        ("push.model_name=other", True),
        ("wandb.project=shop", True),
        ("tuning.trials=3", True),
        ("tuning.seed=3", False),
        ("training.epochs=3", False),
    ],
)
def test_the_name_of_a_search_goes_by_what_it_finds(override: str, same: bool) -> None:
    names = [
        search_name(Settings.load(overrides=overrides), SOURCES, ENCODER)
        for overrides in ([], [override])
    ]
    assert (names[0] == names[1]) == same


def test_another_version_of_the_code_does_not_make_another_search() -> None:
    newer = dataclasses.replace(SOURCES, version="2")
    assert search_name(Settings(), newer, ENCODER) == search_name(Settings(), SOURCES, ENCODER)


def test_beam_options_pass_through() -> None:
    settings = Settings.load(overrides=["pipeline.beam_args=[--direct_num_workers=2]"])
    pipeline = create_pipeline(
        settings, name="shop", sources=SOURCES, encoder=ENCODER, places=PLACES
    )
    assert pipeline.beam_pipeline_args == ["--direct_num_workers=2"]


def test_trainer_settings_load_as_settings() -> None:
    settings = Settings.load(overrides=["training.epochs=9", "push.top_k=3", "push.model_name=x"])
    loaded = Settings.load(overrides=["training.epochs=9", "push.top_k=3"])
    assert Settings.parse(yaml.safe_load(trainer_settings(settings))) == loaded
