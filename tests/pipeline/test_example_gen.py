from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types.standard_artifacts import Examples

from pipeline import example_gen
from pipeline.local_beam import local_pipeline
from prodcls_tf.data import cutting
from prodcls_tf.data.first_pass import Surveyed
from prodcls_tf.data.intake import survey
from prodcls_tf.data.parts import Part, plan
from prodcls_tf.data.placements import remember
from prodcls_tf.data.reading import Row
from prodcls_tf.data.rejects import rejects_file
from prodcls_tf.errors import InputError
from prodcls_tf.features import SPLITS
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


def _step(
    sources: dict[str, list[Path]], folder: Path, *options: str, rejects: float = 0.1
) -> Path:
    """Runs the step's executor; returns the folder of its examples."""
    examples = Examples()
    examples.uri = str(folder)
    folder.mkdir()
    properties = example_gen.ProductExampleGen(
        {name: [str(path) for path in paths] for name, paths in sources.items()},
        DataSettings(max_rejects=rejects),
        version="1",
        rejects=str(folder.with_name("refused.csv")),
        splits=str(folder.with_name("splits")),
    ).exec_properties
    context = BaseBeamExecutor.Context(make_beam_pipeline_fn=lambda: local_pipeline(options))
    executor = example_gen.ProductExampleGenExecutor(context)
    executor.Do({}, {"examples": [examples]}, properties)
    return folder


GOOD = "".join(f"{kind} number {i},{kind}\n" for kind in ("lamp", "radio") for i in range(60))


def test_step_leaves_report_and_rows_left_out_beside_the_splits(tmp_path: Path) -> None:
    products = tmp_path / "a.csv"
    products.write_text(f"title,category\na &amp; b,lamp\nx,y,z\n,lamp\n{GOOD}", encoding="utf-8")
    examples = _step({"all": [products]}, tmp_path / "examples")
    assert sorted(path.name for path in examples.iterdir()) == [
        "Split-test", "Split-train", "Split-val",
        "intake.json", "places.json", "rejects.csv", "splits.gz",
    ]  # fmt: skip
    report = json.loads((examples / "intake.json").read_text(encoding="utf-8"))
    assert (report["rows_read"], report["cleaned"]["rows"]) == (123, 1)
    with (examples / "rejects.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(row["line"], row["reason"]) for row in csv.DictReader(stream)]
    assert rows == [("3", "3 cells instead of 2"), ("4", "no text")]
    places = json.loads((examples / "places.json").read_text(encoding="utf-8"))
    assert places == {"lamp": f"{products}:2", "radio": f"{products}:65"}
    titles = [e["title"] for e in _read(examples / "Split-*" / "*")]
    assert "a & b" in titles
    assert len(titles) == 121


@pytest.fixture
def dirty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Path]]:
    """Two files that are cut into many parts, with rows that are left out for many reasons."""
    monkeypatch.setattr(cutting, "PART_BYTES", 700)
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for number, path in enumerate(paths):
        rows = "".join(
            f"thing {i % 9},c{i % 4}\nx,y,z\nonly {number} {i},r{i}\n" for i in range(30)
        )
        path.write_text(f"title,category\n{GOOD}{rows}<br>,lamp\n{GOOD}", encoding="utf-8")
    return {"all": paths}


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_result_is_the_same_to_the_byte_with_any_number_of_workers(
    dirty: dict[str, list[Path]], tmp_path: Path
) -> None:
    one = _contents(_step(dirty, tmp_path / "one", rejects=1.0))
    two = ["--direct_num_workers=2", "--direct_running_mode=multi_threading"]
    assert _contents(_step(dirty, tmp_path / "two", *two, rejects=1.0)) == one
    assert len([name for name in one if "train" in name]) > 9


def test_result_is_that_of_the_library_in_one_process(
    dirty: dict[str, list[Path]], tmp_path: Path
) -> None:
    folder = _step(dirty, tmp_path / "examples", rejects=1.0)
    intake = survey(dirty, DataSettings(max_rejects=1.0))
    with rejects_file(tmp_path / "rejects.csv") as left_out:
        rows = list(intake.rows(left_out))
    for split in SPLITS:
        titles = [example["title"] for example in _read(folder / f"Split-{split}" / "*")]
        assert titles == [row.fields[0] for own, row in rows if own == split]
    assert (folder / "rejects.csv").read_bytes() == (tmp_path / "rejects.csv").read_bytes()
    assert json.loads((folder / "intake.json").read_text()) == intake.report.to_dict()


@pytest.mark.slow
def test_parts_are_read_in_as_many_processes_as_asked_for(
    dirty: dict[str, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()

    # A class inside a function goes to the workers by value.
    class Watched(example_gen.Passes):
        def survey(self, part: Part) -> Surveyed:
            (seen / str(os.getpid())).touch()
            return super().survey(part)

    one = _contents(_step(dirty, tmp_path / "one", rejects=1.0))
    monkeypatch.setattr(example_gen, "Passes", Watched)
    two = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    assert _contents(_step(dirty, tmp_path / "two", *two, rejects=1.0)) == one
    assert len({int(path.name) for path in seen.iterdir()} - {os.getpid()}) == 2


def test_rows_stay_in_the_split_of_an_earlier_run(tmp_path: Path) -> None:
    products = tmp_path / "a.csv"
    products.write_text(f"title,category\n{GOOD}", encoding="utf-8")
    first = _step({"all": [products]}, tmp_path / "first")
    remember(first / "splits.gz", tmp_path / "splits")
    more = "".join(
        f"{kind} of another kind {i},{kind}\n" for kind in ("lamp", "radio") for i in "abcdefghij"
    )
    products.write_text(f"title,category\n{more}{GOOD}", encoding="utf-8")
    second = _step({"all": [products]}, tmp_path / "second")
    for split, rows in (("train", 96), ("val", 12), ("test", 12)):
        before = {e["title"] for e in _read(first / f"Split-{split}" / "*")}
        after = {e["title"] for e in _read(second / f"Split-{split}" / "*")}
        assert len(before) == rows
        assert before < after


def test_what_is_wrong_in_a_part_is_told_as_the_library_tells_it(
    dirty: dict[str, list[Path]], tmp_path: Path
) -> None:
    with dirty["all"][0].open("a", encoding="utf-8") as stream:
        stream.write(f'"never closed,lamp\n{GOOD}')
    with pytest.raises(InputError, match=r"a\.csv:333: .* Close the quote"):
        _step(dirty, tmp_path / "examples", rejects=1.0)
    assert list((tmp_path / "examples").iterdir()) == []


def test_too_many_rejects_stop_the_step(dirty: dict[str, list[Path]], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Received 60 of 662"):
        _step(dirty, tmp_path / "examples", rejects=0.01)


def test_rows_are_listed_though_too_many_of_them_stop_the_step(
    dirty: dict[str, list[Path]], tmp_path: Path
) -> None:
    allowed = _step(dirty, tmp_path / "allowed", rejects=1.0)
    with pytest.raises(InputError, match=r"listed in .*refused\.csv"):
        _step(dirty, tmp_path / "refused", rejects=0.01)
    listed = (tmp_path / "refused.csv").read_bytes()
    assert listed == (allowed / "rejects.csv").read_bytes()
    assert listed.count(b"\n") > 60


def test_file_that_changes_between_the_passes_is_refused(
    dirty: dict[str, list[Path]], tmp_path: Path
) -> None:
    settings = DataSettings(max_rejects=1.0)
    files = {"rejects": tmp_path / "refused.csv", "splits": tmp_path / "splits"}
    passes = example_gen.Passes(dirty, settings, folder=tmp_path, work=tmp_path, **files)
    parts = plan(dirty, settings)
    chosen = passes.decide([passes.survey(part) for part in parts])
    os.utime(dirty["all"][1], ns=(1, 1))
    for part, total in chosen:
        passes.write(part, total)
    with pytest.raises(InputError, match=r"b\.csv: .* must stay the same"):
        passes.finish(parts)
