"""How the Evaluator measures a model and what it demands of it."""

from __future__ import annotations

import tensorflow_model_analysis as tfma

from pipeline import category_metrics
from prodcls_tf.features import LABEL
from prodcls_tf.settings import EvaluationSettings


def eval_config(settings: EvaluationSettings) -> tfma.EvalConfig:
    """Makes the Evaluator's configuration.

    Args:
      settings: the least accuracy and macro-F1 that a model must reach on the test rows.

    Returns:
      A configuration with accuracy, macro-F1, weighted-F1 and figures per category over the
      model's `evaluate` signature; a model under a bound is not blessed.

    Example:
      >>> [spec.signature_name for spec in eval_config(EvaluationSettings()).model_specs]
      ['evaluate']
    """
    bounds = {
        category_metrics.CategoryAccuracy: settings.min_accuracy,
        category_metrics.CategoryMacroF1: settings.min_macro_f1,
    }
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="evaluate",
                # The label's number is looked up inside the model, which alone knows its order.
                preprocessing_function_names=["transform_features"],
                label_key=LABEL,
                prediction_key="scores",
            )
        ],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[_metric(kind, bounds.get(kind)) for kind in category_metrics.METRICS]
            )
        ],
    )


def _metric(
    kind: type[category_metrics.CategoryMetric], lower_bound: float | None
) -> tfma.MetricConfig:
    config = tfma.MetricConfig(class_name=kind.__name__, module=kind.__module__)
    if lower_bound is not None:
        config.threshold.value_threshold.lower_bound.value = lower_bound
    return config
