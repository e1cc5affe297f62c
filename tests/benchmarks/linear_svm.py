"""The peer: a linear SVM over TF-IDF of words and pieces of words, its C chosen on val.csv."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

_STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)


def measure(folder: Path) -> dict[str, float]:
    """Returns the test figures of the C with the best validation accuracy."""
    train, val, test = (
        pd.read_csv(folder / f"{split}.csv", dtype=str, keep_default_na=False)
        for split in ("train", "val", "test")
    )
    start = time.perf_counter()
    models = [_fit(train, strength) for strength in _STRENGTHS]
    scores = [model.score(val["title"], val["category"]) for model in models]
    best = models[int(np.argmax(scores))]
    seconds = time.perf_counter() - start
    predicted = best.predict(test["title"])
    return {
        "test_accuracy": accuracy_score(test["category"], predicted),
        "test_macro_f1": f1_score(test["category"], predicted, average="macro"),
        "test_weighted_f1": f1_score(test["category"], predicted, average="weighted"),
        "seconds": seconds,
    }


def _fit(train, strength):
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char", ngram_range=(2, 5), sublinear_tf=True, min_df=2)
    model = make_pipeline(make_union(words, pieces), LinearSVC(C=strength, random_state=0))
    return model.fit(train["title"], train["category"])
