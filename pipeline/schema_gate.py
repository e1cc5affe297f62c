"""The gate before training: rows unlike those accepted before stop the run, all reasons at once."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Optional

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList
from tfx.components.schema_gen.executor import DEFAULT_FILE_NAME as SCHEMA_FILE
from tfx.components.statistics_gen.executor import DEFAULT_FILE_NAME as STATISTICS_FILE
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import Artifact, Channel, artifact_utils
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import (
    ExampleAnomalies,
    Examples,
    ExampleStatistics,
    Schema,
)

from pipeline import accepted
from pipeline.accepted import Baseline, State
from pipeline.example_gen import INTAKE_REPORT, PLACES
from pipeline.schema_checks import category_distance, unlike_schema
from pipeline.schema_proto import allowed_categories, read_schema, to_review
from prodcls_tf.data.anomalies import AnomalyReport, listed
from prodcls_tf.data.comparing import TRAIN, category_shares, compare, compare_left_out, judge, skew
from prodcls_tf.data.profile import LeftOut, Profile
from prodcls_tf.data.report import IntakeReport
from prodcls_tf.errors import DataError
from prodcls_tf.features import CATEGORY
from prodcls_tf.settings import ChecksSettings

# What is unusual about the rows that were let through.
ANOMALIES = "anomalies.json"

# Rows that are counted at a time.
_BATCH = 8192


class Intake(NamedTuple):
    """What the gate needs of intake's reports.

    Attributes:
      left_out: rows that no split has.
      places: where the first row of each category stands, `file:line`.
      without_text: where the first rows without a text stand.
      without_label: where those without a category do.
    """

    left_out: LeftOut
    places: Mapping[str, str]
    without_text: Sequence[str]
    without_label: Sequence[str]


class SchemaGateExecutor(BaseExecutor):
    """Compares rows with the accepted state; a first run's rows become it."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the report, or refuses the rows and leaves them as the candidate.

        Args:
          input_dict: `examples`, `statistics` and `schema`, one artifact each.
          output_dict: `anomalies`, one artifact.
          exec_properties: see `SchemaGate`.

        Raises:
          DataError: the rows are not like the accepted ones, or those cannot be read.
        """
        folder = Path(exec_properties["folder"])
        columns = json.loads(exec_properties["columns"])
        (examples,) = input_dict["examples"]
        names = artifact_utils.decode_split_names(examples.split_names)
        statistics = {
            split: _statistics(_split(input_dict["statistics"], split) / STATISTICS_FILE)
            for split in names
        }
        intake = _intake(Path(examples.uri))
        baseline = Baseline(
            origin=exec_properties["origin"],
            files=json.loads(exec_properties["sources"]),
            columns=columns,
            splits={split: profile_of(_split([examples], split), columns) for split in names},
            left_out=intake.left_out,
        )
        state = accepted.newest(folder)
        settings = ChecksSettings.model_validate_json(exec_properties["checks"])
        report = check(baseline, statistics, state, settings, intake)
        if report.stopping or state is None:
            inferred = read_schema(Path(input_dict["schema"][0].uri, SCHEMA_FILE))
            paths = {path for split in baseline.splits.values() for path in split.categories}
            accepted.propose(
                folder,
                to_review(inferred, paths),
                statistics[TRAIN].SerializeToString(),
                baseline,
                report,
            )
        if state is None:
            accepted.accept(folder, datetime.now(timezone.utc), "the first run")
        elif report.stopping:
            raise DataError(_refusal(report, state))
        (anomalies,) = output_dict["anomalies"]
        anomalies.split_names = artifact_utils.encode_split_names(names)
        Path(anomalies.uri).mkdir(parents=True, exist_ok=True)
        Path(anomalies.uri, ANOMALIES).write_text(report.model_dump_json(indent=2), "utf-8")


class SchemaGateSpec(ComponentSpec):
    """What the step takes and gives."""

    INPUTS: ClassVar[dict[str, Any]] = {
        "examples": ChannelParameter(type=Examples),
        "statistics": ChannelParameter(type=ExampleStatistics),
        "schema": ChannelParameter(type=Schema),
    }
    PARAMETERS: ClassVar[dict[str, Any]] = {
        name: ExecutionParameter(type=str)
        for name in ("folder", "accepted", "sources", "origin", "columns", "checks")
    }
    OUTPUTS: ClassVar[dict[str, Any]] = {"anomalies": ChannelParameter(type=ExampleAnomalies)}


class SchemaGate(BaseComponent):
    """Stops a run whose rows are not like those that were accepted before.

    What has to wait for it is put behind it with `add_upstream_node`: so another accepted state
    runs the gate again, and nothing else.

    Args:
      examples: of ExampleGen.
      statistics: of StatisticsGen.
      schema: of SchemaGen.
      folder: OUT/schema.
      accepted: see `accepted.cache_key`: the step is cached while it stays the same.
      sources: files by source.
      origin: digest of the files and of what they were read by.
      columns: columns by feature, the label's among them.
      checks: what may differ by how much.

    Example:
      >>> gate = SchemaGate(examples, statistics, schema, **more)  # doctest: +SKIP
      >>> transform.add_upstream_node(gate)  # doctest: +SKIP
    """

    SPEC_CLASS = SchemaGateSpec
    EXECUTOR_SPEC = ExecutorClassSpec(SchemaGateExecutor)

    def __init__(
        self,
        examples: Channel,
        statistics: Channel,
        schema: Channel,
        *,
        folder: str,
        accepted: str,
        sources: Mapping[str, Sequence[str]],
        origin: str,
        columns: Mapping[str, str],
        checks: ChecksSettings,
    ) -> None:
        """See the class."""
        spec = SchemaGateSpec(
            examples=examples,
            statistics=statistics,
            schema=schema,
            folder=folder,
            accepted=accepted,
            sources=json.dumps({source: list(files) for source, files in sources.items()}),
            origin=origin,
            columns=json.dumps(dict(columns), ensure_ascii=False),
            checks=checks.model_dump_json(),
            anomalies=Channel(type=ExampleAnomalies),
        )
        super().__init__(spec=spec)


def check(
    now: Baseline,
    statistics: Mapping[str, DatasetFeatureStatisticsList],
    state: Optional[State],
    settings: ChecksSettings,
    intake: Intake,
) -> AnomalyReport:
    """Compares rows with the accepted state, and val and test with train.

    Args:
      now: the rows at hand.
      statistics: TFDV's, by split.
      state: what was accepted; None for nothing yet.
      settings: what may differ by how much.
      intake: knows where rows stand.

    Returns:
      All that is unusual.

    Raises:
      DataError: the accepted state cannot be read.
    """
    label = now.columns[CATEGORY]
    skewed = skew(now.splits, settings)
    for split in now.splits.keys() - {TRAIN}:
        distance = category_distance(statistics[TRAIN], statistics[split], "skew")
        shares = category_shares(distance, now.splits[TRAIN], now.splits[split])
        skewed += judge(shares, label, split, "skew", settings.max_skew)
    noted = [anomaly.model_copy(update={"stops": False}) for anomaly in skewed]
    if state is None:
        # Whoever has a split of his own may have meant it: a test set with even categories, say.
        return AnomalyReport.of(None, noted)
    before, schema = state.baseline(), read_schema(state.schema)
    if now.splits == before.splits:
        # The splits of these very rows were accepted as they are.
        skewed = noted
    drift = category_distance(_statistics(state.statistics), statistics[TRAIN], "drift")
    shares = category_shares(drift, before.splits[TRAIN], now.splits[TRAIN])
    known = allowed_categories(schema)
    texts = ", ".join(column for name, column in now.columns.items() if name != CATEGORY)
    return AnomalyReport.of(
        state.number,
        [
            *unlike_schema(schema, statistics[TRAIN], {**before.columns, **now.columns}),
            *compare(before.splits, now.splits, settings, known, label, intake.places),
            *compare_left_out(
                before.left_out,
                now.left_out,
                settings,
                texts,
                label,
                {texts: intake.without_text, label: intake.without_label},
            ),
            *judge(shares, label, TRAIN, "drift", settings.max_category_drift),
            *skewed,
        ],
    )


def profile_of(split: Path, columns: Mapping[str, str]) -> Profile:
    """Counts what the rows of a split are like.

    Args:
      split: folder of its examples, GZIP TFRecords.
      columns: columns by feature, the label's among them.

    Returns:
      The profile, its texts by column.
    """
    features = {name: tf.io.FixedLenFeature([], tf.string, "") for name in columns}
    files = sorted(map(str, split.iterdir()))
    records = tf.data.TFRecordDataset(files, "GZIP").batch(_BATCH)
    profile = Profile()
    for batch in records.map(lambda some: tf.io.parse_example(some, features)):
        values = {
            name: [value.decode("utf-8", "replace") for value in column.numpy()]
            for name, column in batch.items()
        }
        categories = values.pop(CATEGORY)
        profile.add({columns[name]: texts for name, texts in values.items()}, categories)
    return profile


def _intake(examples: Path) -> Intake:
    try:
        found = IntakeReport.model_validate_json((examples / INTAKE_REPORT).read_bytes())
        places = json.loads((examples / PLACES).read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(
            f"The reports of intake must be readable. Received those in {examples}: {error}. Move "
            "that folder away, and run again."
        ) from None
    empty, unlabelled = found.empty_text, found.empty_label
    return Intake(
        LeftOut(rows=found.rows_read, no_text=empty.rows, no_label=unlabelled.rows),
        places,
        without_text=empty.examples,
        without_label=unlabelled.examples,
    )


def _split(artifacts: list[Artifact], split: str) -> Path:
    return Path(artifact_utils.get_split_uri(artifacts, split))


def _statistics(file: Path) -> DatasetFeatureStatisticsList:
    try:
        return DatasetFeatureStatisticsList.FromString(file.read_bytes())
    except (OSError, DecodeError) as error:
        raise DataError(
            f"Statistics must be readable. Received {file}: {error}. Bring the file back. Or move "
            f"the folder {file.parent} away, and run again."
        ) from None


def _refusal(report: AnomalyReport, state: State) -> str:
    """What stops the run, and how to accept it on purpose."""
    out = state.folder.parent.parent
    number = len(report.stopping)
    return (
        f"The rows of a run must be like those accepted before, in {state.folder}. Received "
        f"{number} anomal{'y' if number == 1 else 'ies'}, the worst first; nothing was trained:\n"
        f"{listed(report.stopping)}\n"
        "Mend the product files. Or, if this is meant, accept it, and run the same command again: "
        f"prodcls schema accept --out {shlex.quote(str(out))}\n"
        f"All figures are in {out / 'anomalies.json'}."
    )
