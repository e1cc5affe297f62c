"""A linear probe: the head's start, fitted to the untouched encoder's vectors."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from prodcls_tf.model.deep_branch import DeepBranch
from prodcls_tf.progress import report

# More rows than this do not move a probe of some hundred dimensions.
_MOST_ROWS = 50_000
_STRENGTH = 30.0


def start_head(branch: DeepBranch, vectors: np.ndarray, labels: np.ndarray, seed: int) -> None:
    """Sets the classifier so that fine-tuning begins with a good head instead of a random one.

    A random head sends noise into the encoder in its first steps and distorts what was learned
    in pretraining (LP-FT, Kumar et al. 2022).

    Args:
      branch: its classifier is set.
      vectors: float32 [rows, width], pooled by the untouched encoder.
      labels: int [rows].
      seed: of the choice of rows where there are very many.
    """
    rows = np.arange(len(labels))
    if len(rows) > _MOST_ROWS:
        rows = np.random.default_rng(seed).choice(rows, _MOST_ROWS, replace=False)
    report("fitting a linear probe", 0, 1)
    scale = float(np.sqrt(branch.width))
    with warnings.catch_warnings():
        # A start needs no full convergence.
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe = LogisticRegression(C=_STRENGTH, max_iter=300).fit(
            vectors[rows] / scale, labels[rows]
        )
    kernel, bias = (weight.numpy() for weight in branch.bert.classifier.weights)
    coefficients, intercepts = probe.coef_, probe.intercept_
    if len(probe.classes_) == 2:
        # Two classes share one logit in scikit-learn.
        coefficients = np.concatenate([-coefficients, coefficients]) / 2.0
        intercepts = np.concatenate([-intercepts, intercepts]) / 2.0
    kernel[:, probe.classes_] = coefficients.T / scale
    bias[probe.classes_] = intercepts
    branch.bert.classifier.set_weights([kernel, bias])
    report("fitting a linear probe", 1, 1)
