"""The shipped sample: what it must have, and Chinese rows all the way through a tiny BERT."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import prodcls_tf
from prodcls_tf import ProductClassifier
from prodcls_tf.data.intake import survey
from prodcls_tf.settings import DataSettings
from tests.tiny import tiny_settings, write_tiny_encoder

SAMPLE = Path(prodcls_tf.__file__).parent / "sample"
BOTH = DataSettings(text=["title", "description"])


@pytest.mark.parametrize(
    ("name", "rows", "leaves"), [("products.csv", 1200, 24), ("products_zh.csv", 200, 24)]
)
def test_sample_passes_intake_without_a_finding(name, rows, leaves):
    report = survey({"all": [SAMPLE / name]}, BOTH).report
    assert sum(report.kept.values()) == report.rows_read >= rows
    assert report.categories >= leaves


def test_sample_has_a_tree_of_two_or_three_levels_and_uneven_categories():
    rows = pd.read_csv(SAMPLE / "products.csv", keep_default_na=False)
    counts = rows["category"].value_counts()
    assert {path.count(" > ") for path in counts.index} == {1, 2}
    assert counts.max() > 8 * counts.min()
    assert 0.2 < (rows["description"] == "").mean() < 0.5
    assert rows["title"].str.contains('"').any()


def test_chinese_sample_has_the_same_tree_in_chinese():
    english, chinese = (
        pd.read_csv(SAMPLE / name)["category"].unique()
        for name in ("products.csv", "products_zh.csv")
    )
    assert len(chinese) == len(english)
    assert all(re.search("[\u4e00-\u9fff]", path) for path in chinese)
    assert sorted(p.count(" > ") for p in chinese) == sorted(p.count(" > ") for p in english)


def test_chinese_products_are_learned_and_classified(tmp_path):
    rows = pd.read_csv(SAMPLE / "products_zh.csv", keep_default_na=False)
    text = "data.text=[title, description]"
    classifier = ProductClassifier(tiny_settings(write_tiny_encoder(tmp_path), text))
    classifier.fit(rows, rows.iloc[::5])
    assert classifier.evaluate(rows).accuracy > 0.9
    best = classifier.predict({"title": ["苹果绿手机壳"], "description": [""]})[0]
    assert best.category in set(rows["category"])
