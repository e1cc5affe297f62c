"""What TensorFlow Data Validation says of the rows of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

from pipeline.schema_proto import without_categories
from prodcls_tf.data.anomalies import ALL_SPLITS, Anomaly
from prodcls_tf.features import CATEGORY

_Reason = anomalies_pb2.AnomalyInfo


def unlike_schema(
    schema: schema_pb2.Schema, statistics: DatasetFeatureStatisticsList, columns: Mapping[str, str]
) -> list[Anomaly]:
    """Compares rows with the accepted schema: columns, their types, and whatever it demands.

    Its list of categories is left out: statistics have only the most frequent ones.

    Args:
      schema: the accepted one.
      statistics: of the rows.
      columns: columns by feature, for messages.

    Returns:
      What is unusual; a new column is a note.
    """
    found = tfdv.validate_statistics(statistics, without_categories(schema))
    return [
        _anomaly(columns.get(feature, feature), reason, info.severity)
        for feature, info in found.anomaly_info.items()
        for reason in info.reason
    ]


def category_distance(
    was: DatasetFeatureStatisticsList,
    now: DatasetFeatureStatisticsList,
    comparator: Literal["drift", "skew"],
) -> float:
    """Measures how far the shares of the categories are apart, by TFDV's comparators.

    Args:
      was: statistics of what is expected: rows accepted before, or those of train.
      now: of the rows at hand, or of val or test.
      comparator: which one of the two.

    Returns:
      The largest difference of a share, L-infinity; 0 where one side has no rows.
    """
    schema = schema_pb2.Schema()
    feature = schema.feature.add(name=CATEGORY, type=schema_pb2.BYTES)
    # The measure comes whatever the threshold is; the judgement is ours, which knows of chance.
    getattr(feature, f"{comparator}_comparator").infinity_norm.threshold = 1
    if comparator == "drift":
        found = tfdv.validate_statistics(now, schema, previous_statistics=was)
    else:
        found = tfdv.validate_statistics(was, schema, serving_statistics=now)
    measurements = (
        measured
        for info in found.drift_skew_info
        for measured in (*info.drift_measurements, *info.skew_measurements)
    )
    return max((float(measured.value) for measured in measurements), default=0.0)


def _anomaly(column: str, reason: anomalies_pb2.AnomalyInfo.Reason, severity: int) -> Anomaly:
    kind, words, stops = "schema", reason.description, severity == _Reason.ERROR
    if reason.type == _Reason.SCHEMA_MISSING_COLUMN:
        kind, words = "missing_column", "the column is missing"
    elif reason.type == _Reason.SCHEMA_NEW_COLUMN:
        kind, words, stops = "new_column", "the column is new, and not checked as yet", False
    return Anomaly(
        kind=kind, feature=column, split=ALL_SPLITS, message=f"{column!r}: {words}", stops=stops
    )
