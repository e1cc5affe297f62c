from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.types.standard_artifacts import Examples

from pipeline import example_gen
from prodcls_tf.data.reading import Row
from prodcls_tf.settings import DataSettings


def _read(pattern: Path) -> list[dict[str, str]]:
    files = sorted(tf.io.gfile.glob(str(pattern)))
    examples = map(
        tf.train.Example.FromString, tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
    )
    return [
        {name: value.bytes_list.value[0].decode() for name, value in e.features.feature.items()}
        for e in examples
    ]


def _rows(count: int) -> list[tuple[str, Row]]:
    return [("train", Row((f"title {n}", ""), "A > B", "x.csv", n)) for n in range(count)]


def test_rows_keep_their_order_over_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example_gen, "ROWS_PER_SHARD", 4)
    example_gen.write_splits(_rows(10), ["title", "description"], tmp_path)
    assert len(list((tmp_path / "Split-train").iterdir())) == 3
    examples = _read(tmp_path / "Split-train" / "*")
    assert [e["title"] for e in examples] == [f"title {n}" for n in range(10)]
    assert examples[0] == {"title": "title 0", "description": "", "category": "A > B"}


def test_split_without_rows_is_there_and_empty(tmp_path: Path) -> None:
    example_gen.write_splits(_rows(1), ["title", "description"], tmp_path)
    assert _read(tmp_path / "Split-test" / "*") == []


def test_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    row = Row(("broken \ud83d emoji",), "A", "x.jsonl", 1)
    example_gen.write_splits([("val", row)], ["title"], tmp_path)
    assert _read(tmp_path / "Split-val" / "*")[0]["title"] == "broken ? emoji"


def test_column_to_compare_by_goes_with_the_rows(tmp_path: Path) -> None:
    row = Row(("title",), "A", "x.csv", 1, slice="acme")
    example_gen.write_splits([("test", row)], ["title"], tmp_path, sliced=True)
    assert _read(tmp_path / "Split-test" / "*")[0]["slice_value"] == "acme"


def test_step_leaves_report_and_rows_left_out_beside_the_splits(tmp_path: Path) -> None:
    products = tmp_path / "a.csv"
    good = "".join(f"{kind} number {i},{kind}\n" for kind in ("lamp", "radio") for i in range(60))
    products.write_text(f"title,category\na &amp; b,lamp\nx,y,z\n,lamp\n{good}", encoding="utf-8")
    examples = Examples()
    examples.uri = str(tmp_path / "examples")
    Path(examples.uri).mkdir()
    properties = {
        "sources": json.dumps({"all": [str(products)]}),
        "data": DataSettings(max_rejects=0.1).model_dump_json(),
        "fingerprint": "f",
    }
    example_gen.ProductExampleGenExecutor().Do({}, {"examples": [examples]}, properties)
    report = json.loads((tmp_path / "examples" / "intake.json").read_text(encoding="utf-8"))
    assert (report["rows_read"], report["cleaned"]["rows"]) == (123, 1)
    with (tmp_path / "examples" / "rejects.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(row["line"], row["reason"]) for row in csv.DictReader(stream)]
    assert rows == [("3", "3 cells instead of 2"), ("4", "no text")]
    titles = [e["title"] for e in _read(tmp_path / "examples" / "Split-*" / "*")]
    assert "a & b" in titles
    assert len(titles) == 121
