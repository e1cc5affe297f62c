"""The pipeline's wiring: which step follows which, and which settings each one depends on."""

from __future__ import annotations

from tfx.components import (
    Evaluator,
    ExampleValidator,
    SchemaGen,
    StatisticsGen,
    Trainer,
    Transform,
)
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2, transform_pb2
from tfx.types import Channel
from tfx.types.standard_artifacts import HyperParameters, TunerResults

from pipeline.arguments import (
    Encoder,
    Places,
    Sources,
    columns,
    origin,
    search_name,
    trainer_settings,
    tuner_settings,
)
from pipeline.canary import Canary
from pipeline.comparison import Comparison
from pipeline.evaluation import eval_config
from pipeline.example_gen import ProductExampleGen
from pipeline.former_search import SEARCH, FormerSearch, effort_of
from pipeline.pusher import Pusher
from pipeline.schema_gate import SchemaGate
from pipeline.tuning import Tuner
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.space import TuningSettings


def create_pipeline(
    settings: Settings,
    *,
    name: str,
    sources: Sources,
    encoder: Encoder,
    places: Places,
    accepted: str = "",
    searched: bool = False,
    only_search: bool = False,
) -> Pipeline:
    """Wires the steps; reads no file and no environment.

    A step is given the settings that it depends on and no others: TFX runs a step again when
    its inputs or settings differ, and takes its former result otherwise.

    Args:
      settings: all settings of the run.
      name: the pipeline's name in ML Metadata.
      sources: the product files.
      encoder: the pretrained BERT.
      places: where the run keeps what.
      accepted: what the gate's verdict depends on, see `accepted.cache_key`.
      searched: whether ML Metadata has the result of the search already.
      only_search: whether the pipeline ends with the search.

    Returns:
      The pipeline, for `pipeline.launching.launch` or any runner of TFX.
    """
    # Product files become raw examples: checked, without duplicates, split once and for all.
    example_gen = ProductExampleGen(
        sources.files,
        data=settings.data,
        version=sources.version,
        rejects=places.rejects,
        splits=places.splits,
    )
    examples = example_gen.outputs["examples"]

    # Figures per feature and split: what a person looks at first when a model is bad.
    statistics_gen = StatisticsGen(examples=examples)

    # What the features look like; every raw feature has exactly one value, so shapes are fixed.
    schema_gen = SchemaGen(
        statistics=statistics_gen.outputs["statistics"], infer_feature_shape=True
    )
    schema = schema_gen.outputs["schema"]

    # Where a split departs from the schema, such as a category that no training row has.
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema
    )

    # Stops the run where its rows are not like those accepted before.
    gates: list[BaseNode] = []
    if settings.checks.enabled:
        gates = [
            SchemaGate(
                examples,
                statistics_gen.outputs["statistics"],
                schema,
                folder=places.schema,
                accepted=accepted,
                sources=sources.files,
                origin=origin(settings, sources),
                columns=columns(settings),
                checks=settings.checks,
            )
        ]

    # One graph makes ids of text and numbers of categories, for training and for serving alike.
    transform = Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="pipeline.transform_fn.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(
            analyze=["train"], transform=["train", "val", "test"]
        ),
        custom_config={
            "fields": settings.data.fields,
            "max_length": settings.encoder.max_length,
            "encoder_folder": encoder.folder,
            "vocabulary_digest": encoder.vocabulary_digest,
        },
        disable_analyzer_cache=True,
        disable_statistics=True,
    )
    transform.add_upstream_nodes(gates)

    # Searches for better settings, if asked for, unless the same search was made before.
    search = search_name(settings, sources, encoder)
    searching: list[BaseNode] = []
    if settings.tuning.enabled:
        searching = [
            _former(search, settings.tuning if only_search else None, transform)
            if searched
            else _tuner(settings, search, transform, encoder, places)
        ]

    # Fine-tunes BERT through the library's ProductClassifier and exports the SavedModel.
    trainer = Trainer(
        run_fn="pipeline.trainer_fn.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        hyperparameters=searching[0].outputs["best_hyperparameters"] if searching else None,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["val", "test"]),
        custom_config={
            "settings": trainer_settings(settings),
            "encoder_digest": encoder.digest,
            "logs": places.logs,
            "checkpoints": places.checkpoints,
        },
    )
    model = trainer.outputs["model"]

    # Measures the exported model itself, on rows it never saw, and blesses it or does not.
    evaluator = Evaluator(
        examples=examples,
        model=model,
        example_splits=["test"],
        eval_config=eval_config(settings.evaluation),
        schema=schema,
    )

    # On the same rows, it must be no worse than the model that serves now, if there is one.
    comparison = Comparison(
        examples=examples,
        model=model,
        evaluated=evaluator.outputs["blessing"],
        serving=places.serving,
        data=settings.data,
        evaluation=settings.evaluation,
    )

    # A server of its own must load it, and answer as the training did.
    canary = Canary(model=model, seconds=settings.evaluation.canary_seconds)
    # It takes nothing from the step before, but figures are what a reader looks for first.
    canary.add_upstream_node(comparison)

    # Hands a model that every gate has blessed, and no other, to the folder that servers watch.
    pusher = Pusher(
        model=model,
        model_blessing=comparison.outputs["blessing"],
        infra_blessing=canary.outputs["blessing"],
        base=places.serving,
        keep=settings.push.keep,
    )

    training = [] if only_search else [trainer, evaluator, comparison, canary, pusher]
    return Pipeline(
        pipeline_name=name,
        pipeline_root=places.root,
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            *gates,
            transform,
            *searching,
            *training,
        ],
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(places.metadata),
        beam_pipeline_args=list(settings.pipeline.beam_args),
    )


def _tuner(
    settings: Settings, search: str, transform: Transform, encoder: Encoder, places: Places
) -> BaseNode:
    return Tuner(
        tuner_fn="pipeline.tuning.tuner_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["val"]),
        custom_config={
            "settings": tuner_settings(settings),
            "encoder_digest": encoder.digest,
            SEARCH: search,
            "searches": places.searches,
            "logs": places.search_logs,
        },
    )


def _former(search: str, effort: TuningSettings | None, transform: Transform) -> BaseNode:
    resolver = Resolver(
        strategy_class=FormerSearch,
        config={SEARCH: search, "effort": effort_of(effort)},
        best_hyperparameters=Channel(type=HyperParameters),
        tuner_results=Channel(type=TunerResults),
    ).with_id("FormerSearch")
    # It takes nothing from Transform, but a reader of the steps looks for it after it.
    resolver.add_upstream_node(transform)
    return resolver
