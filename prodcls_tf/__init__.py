"""prodcls: puts a shop's products into the categories of its tree by fine-tuning BERT.

The public names load on first use, so that importing the package costs no TensorFlow:

>>> import prodcls_tf
>>> classifier = prodcls_tf.ProductClassifier()  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import os
from typing import Any

# TFBert is a Keras 2 model. TensorFlow reads this variable once, when it is first imported,
# so it is set before any module of this package can import TensorFlow.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

__version__ = "0.1.0"

_HOME = {
    "ProductClassifier": "prodcls_tf.classifier",
    "Settings": "prodcls_tf.settings",
    "ProdclsError": "prodcls_tf.errors",
}

__all__ = ["ProdclsError", "ProductClassifier", "Settings", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
