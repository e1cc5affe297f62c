"""TFMA metrics over the categories: they count once and need not know how many there are.

TFMA's own macro averages want every class named in the evaluation's settings, before the data are
read. These are derived from TFMA's confusion counts instead. They agree with
`prodcls_tf.evaluation.metrics`: averages run over the categories that occur in labels or
predictions, and rows whose category no training row has (label -1) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.metrics.multi_class_confusion_matrix_metrics import (
    multi_class_confusion_matrices,
)

from pipeline.confusion import Confusion, accuracy, macro_f1, report, weighted_f1

Figures = dict[metric_types.MetricKey, float]


class CategoryMetric(metric_types.Metric):
    """A TFMA metric made of the confusion counts; a subclass says its name and its figures.

    Args:
      name: what the Evaluator calls it; None for the class's own name for it.
    """

    metric_name = ""

    def __init__(self, name: str | None = None) -> None:
        """See the class."""
        super().__init__(
            metric_util.merge_per_key_computations(self._computations),
            name=name or self.metric_name,
        )

    def figures(self, confusion: Confusion) -> dict[tuple[str, int | None], float]:
        """Computes the figures from counts of at least one row.

        Args:
          confusion: rows by right and predicted category.

        Returns:
          Values by name and category number, None where it is about all categories.
        """
        raise NotImplementedError

    def _computations(
        self,
        name: str,
        eval_config: Any = None,
        model_name: str = "",
        output_name: str = "",
        example_weighted: bool = False,
    ) -> metric_types.MetricComputations:
        matrices = multi_class_confusion_matrices(
            eval_config=eval_config,
            model_name=model_name,
            output_name=output_name,
            example_weighted=example_weighted,
        )
        counts_key = matrices[-1].keys[-1]

        def key(name: str, category: int | None) -> metric_types.MetricKey:
            sub_key = None if category is None else metric_types.SubKey(class_id=category)
            return counts_key._replace(name=name, sub_key=sub_key)

        def result(metrics: Mapping[metric_types.MetricKey, Any]) -> Figures:
            (counts,) = metrics[counts_key].values()
            known = {tuple(entry): rows for entry, rows in counts.items() if entry[0] >= 0}
            # Without rows there is no figure, and TFMA refuses the model for want of it.
            values = self.figures(known) if known else {}
            return {key(*about): value for about, value in values.items()}

        derived = metric_types.DerivedMetricComputation(keys=[key(name, None)], result=result)
        return [*matrices, derived]


class CategoryAccuracy(CategoryMetric):
    """Share of rows whose best category is right."""

    metric_name = "accuracy"

    def figures(self, confusion: Confusion) -> dict[tuple[str, int | None], float]:
        """See `CategoryMetric.figures`."""
        return {(self.name, None): accuracy(confusion)}


class CategoryMacroF1(CategoryMetric):
    """Mean F1 over the categories that occur in labels or predictions."""

    metric_name = "macro_f1"

    def figures(self, confusion: Confusion) -> dict[tuple[str, int | None], float]:
        """See `CategoryMetric.figures`."""
        return {(self.name, None): macro_f1(confusion)}


class CategoryWeightedF1(CategoryMetric):
    """Mean F1 over the categories, weighted by their rows."""

    metric_name = "weighted_f1"

    def figures(self, confusion: Confusion) -> dict[tuple[str, int | None], float]:
        """See `CategoryMetric.figures`."""
        return {(self.name, None): weighted_f1(confusion)}


class CategoryReport(CategoryMetric):
    """Precision, recall, F1 and rows of each category, under its number as TFMA's class id."""

    metric_name = "category_report"

    def figures(self, confusion: Confusion) -> dict[tuple[str, int | None], float]:
        """See `CategoryMetric.figures`."""
        return {
            (name, category): value
            for category, entry in report(confusion).items()
            for name, value in entry.items()
        }


METRICS = (CategoryAccuracy, CategoryMacroF1, CategoryWeightedF1, CategoryReport)
