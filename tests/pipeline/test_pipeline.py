from __future__ import annotations

import yaml
from tfx.dsl.compiler.compiler import Compiler

from pipeline.arguments import Encoder, Places, Sources, trainer_settings
from pipeline.pipeline import create_pipeline
from prodcls_tf.settings import Settings

# No such path exists: the pipeline is made without a look at any file.
SOURCES = Sources({"all": ["no/products.csv"]}, fingerprint="f1", version="1")
ENCODER = Encoder("no/encoder", vocabulary_digest="v1", digest="e1")
PLACES = Places("no/root", "no/metadata.sqlite", "no/serving", "no/logs", "no/checkpoints")


def _steps(*overrides: str) -> dict[str, bytes]:
    """What TFX decides by whether a step's former result holds, by step."""
    pipeline = create_pipeline(
        Settings.load(overrides=overrides),
        name="shop",
        sources=SOURCES,
        encoder=ENCODER,
        places=PLACES,
    )
    nodes = [node.pipeline_node for node in Compiler().compile(pipeline).nodes]
    return {
        node.node_info.id: node.parameters.SerializeToString(deterministic=True) for node in nodes
    }


def _changed(*overrides: str) -> list[str]:
    before, after = _steps(), _steps(*overrides)
    return [name for name in before if before[name] != after[name]]


def test_steps_follow_the_way_of_a_row() -> None:
    assert list(_steps()) == [
        "ProductExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "Transform",
        "Trainer",
        "Evaluator",
        "Pusher",
    ]


def test_each_setting_reaches_only_the_steps_that_depend_on_it() -> None:
    assert _changed() == []
    assert _changed("training.epochs=9") == ["Trainer"]
    assert _changed("push.top_k=3") == ["Trainer"]
    assert _changed("evaluation.min_accuracy=0.9") == ["Evaluator"]
    assert _changed("encoder.max_length=64") == ["Transform", "Trainer"]
    assert _changed("data.val_share=0.3") == ["ProductExampleGen", "Trainer"]
    assert _changed("data.text=[name]") == ["ProductExampleGen", "Transform", "Trainer"]


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
