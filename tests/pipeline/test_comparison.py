"""The gate between a new model and the one that serves, on models that look for words."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing

from pipeline.comparison import CATEGORIES, Columns, ComparisonDriver, ComparisonExecutor, compared
from pipeline.gates import GateReport
from pipeline.serving_now import identity, rival
from prodcls_tf.evaluation.category_changes import read_changes
from prodcls_tf.manifest import write_manifest
from prodcls_tf.release.moves import promote
from prodcls_tf.release.order import config_file
from prodcls_tf.settings import EvaluationSettings
from tests.serving.tiny_model import save_tiny_model

ROWS = {
    "耳机 headphones": "Audio > Headphones",
    "pan 28 cm": "Home > Cookware",
    "猫 food": "Pets > Cats > 猫粮",
}
COLUMNS = Columns(["title", "description"], slice_by="brand")
EXACT = EvaluationSettings(max_drop=0.0, slice_rows=10)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that gets all rows."""
    return save_tiny_model(tmp_path_factory.mktemp("good") / "Format-Serving")


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads another field, and so says the first category always."""
    return save_tiny_model(tmp_path_factory.mktemp("poor") / "Format-Serving", ("description",))


def _row(title: str, category: str) -> dict[str, str]:
    return {"title": title, "category": category, "slice_value": "acme" if title[0] == "p" else ""}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty test rows as the first step leaves them: twenty of each category."""
    folder = tmp_path_factory.mktemp("examples") / "Split-test"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "data-00000.gz"), "GZIP") as writer:
        for title, category in list(ROWS.items()) * 20:
            example = tf.train.Example()
            for name, text in _row(title, category).items():
                example.features.feature[name].bytes_list.value.append(text.encode())
            writer.write(example.SerializeToString())
    return folder


def _served(model: Path, serving: Path, version: int) -> Path:
    return Path(shutil.copytree(model, serving / str(version)))


def _judged(candidate: Path, serving: Path, split: Path) -> GateReport:
    report, _ = compared(candidate, serving, str(split), COLUMNS, EXACT)
    return report


def test_models_of_other_fields_are_asked_about_the_same_rows(
    good: Path, poor: Path, split: Path, tmp_path: Path
) -> None:
    found = _judged(good, _served(poor, tmp_path, 17), split).comparison
    assert found is not None
    assert (found.changes[0].before, found.changes[0].after) == (pytest.approx(1 / 3), 1.0)


def test_worse_model_is_refused_by_figures_and_slices(
    good: Path, poor: Path, split: Path, tmp_path: Path
) -> None:
    accuracy, macro, *slices = _judged(poor, _served(good, tmp_path, 17), split).reasons
    assert accuracy.startswith("accuracy on 60 test rows is 0.333, under the 1.000 of version 17")
    assert macro.startswith("macro-F1")
    assert sorted(told.partition(" is ")[0] for told in slices) == [
        "accuracy on 20 test rows of brand 'acme'",
        "accuracy on 20 test rows of category 'Home'",
        "accuracy on 20 test rows of category 'Pets'",
        "accuracy on 40 test rows of brand ''",
    ]


def test_serving_version_that_cannot_be_asked_lets_nothing_through(
    good: Path, split: Path, tmp_path: Path
) -> None:
    serving = _served(good, tmp_path, 17)
    (serving / "saved_model.pb").write_bytes(b"\x00 no model")
    (reason,) = _judged(good, serving, split).reasons
    assert "version 17, which serves, cannot be asked" in reason
    assert str(serving) in reason


def test_same_model_at_another_place_is_the_same(good: Path, poor: Path, tmp_path: Path) -> None:
    assert identity(_served(good, tmp_path, 1)) == identity(good) != identity(poor)


def test_first_model_has_no_rival(good: Path, tmp_path: Path) -> None:
    assert rival(tmp_path / "serving", good) is None


def test_newest_version_is_the_rival(good: Path, poor: Path, tmp_path: Path) -> None:
    _served(good, tmp_path, 9)
    newest = _served(poor, tmp_path, 10)
    other = save_tiny_model(tmp_path / "other", ("name",))
    assert rival(tmp_path, other) == newest


def test_model_that_serves_keeps_the_rival_it_came_with(
    good: Path, poor: Path, tmp_path: Path
) -> None:
    before = _served(poor, tmp_path, 9)
    for copy in (10, 11):
        _served(good, tmp_path, copy)
    assert rival(tmp_path, good) == before


def test_after_a_rollback_the_older_version_is_the_rival(
    good: Path, poor: Path, tmp_path: Path
) -> None:
    older, newer = _served(poor, tmp_path, 9), _served(good, tmp_path, 10)
    shutil.rmtree(newer)
    assert rival(tmp_path, good) == older


def test_version_that_was_ordered_to_serve_is_the_rival(
    good: Path, poor: Path, tmp_path: Path
) -> None:
    base = tmp_path / "prodcls"
    older, newer = _served(poor, base, 9), _served(good, base, 10)
    promote(base, 9)
    other = save_tiny_model(tmp_path / "other", ("name",))
    assert rival(base, other) == older
    config_file(base).write_text("nonsense {")
    assert rival(base, other) == newer


@pytest.mark.parametrize("lost", ["saved_model.pb", "variables/variables.index"])
def test_half_a_copy_does_not_serve(good: Path, poor: Path, tmp_path: Path, lost: str) -> None:
    older, newer = _served(poor, tmp_path, 9), _served(poor, tmp_path, 10)
    write_manifest(newer)
    (newer / lost).unlink()
    assert rival(tmp_path, good) == older


def _executed(
    candidate: Path, serving: Path, split: Path, out: Path, *, evaluated: bool = True
) -> ModelBlessing:
    """Runs the driver and the executor as TFX does, and returns the blessing."""
    examples, model, before, blessing = Examples(), Model(), ModelBlessing(), ModelBlessing()
    examples.uri, examples.split_names = str(split.parent), '["test"]'
    model.uri, blessing.uri = str(candidate.parent), str(out)
    before.set_int_custom_property("blessed", int(evaluated))
    inputs = {"examples": [examples], "model": [model], "evaluated": [before]}
    properties = {
        "serving": str(serving),
        "settings": '{"max_drop": 0.0, "slice_rows": 10}',
        "columns": '{"fields": ["title", "description"]}',
    }
    told = ComparisonDriver(None).run(
        SimpleNamespace(input_dict=inputs, exec_properties=properties)
    )
    found = rival(serving, candidate)
    assert told.exec_properties["rival"].string_value == (identity(found) if found else "")
    ComparisonExecutor().Do(inputs, {"blessing": [blessing]}, properties)
    return blessing


def _is_blessed(blessing: ModelBlessing) -> bool:
    blessed = blessing.get_int_custom_property("blessed") == 1
    files = {path.name for path in Path(blessing.uri).iterdir()}
    assert files - {CATEGORIES} == {"report.json", "BLESSED" if blessed else "NOT_BLESSED"}
    return blessed


def test_first_model_is_blessed_without_a_question(good: Path, split: Path, tmp_path: Path) -> None:
    blessing = _executed(good, tmp_path / "serving", split, tmp_path / "out")
    assert _is_blessed(blessing)
    assert GateReport.read(tmp_path / "out").comparison is None
    assert not (tmp_path / "out" / CATEGORIES).exists()


def test_worse_model_is_not_blessed(good: Path, poor: Path, split: Path, tmp_path: Path) -> None:
    _served(good, tmp_path / "serving", 17)
    assert not _is_blessed(_executed(poor, tmp_path / "serving", split, tmp_path / "out"))
    assert GateReport.read(tmp_path / "out").reasons


def test_what_became_of_each_category_is_left_beside_the_blessing(
    good: Path, poor: Path, split: Path, tmp_path: Path
) -> None:
    _served(good, tmp_path / "serving", 17)
    _executed(poor, tmp_path / "serving", split, tmp_path / "out")
    lost = {one.category: one.lost_to for one in read_changes(tmp_path / "out" / CATEGORIES)}
    assert lost == {
        "Audio > Headphones": "",
        "Home > Cookware": "Audio > Headphones (20)",
        "Pets > Cats > 猫粮": "Audio > Headphones (20)",
    }


def test_model_that_the_evaluator_refused_is_not_blessed(
    good: Path, split: Path, tmp_path: Path
) -> None:
    refused = _executed(good, tmp_path / "serving", split, tmp_path / "out", evaluated=False)
    assert not _is_blessed(refused)


def test_report_that_is_lost_or_damaged_is_an_empty_one(tmp_path: Path) -> None:
    assert GateReport.read(tmp_path) == GateReport()
    (tmp_path / "report.json").write_text("{")
    assert GateReport.read(tmp_path) == GateReport()
