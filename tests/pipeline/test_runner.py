"""Runs of the whole pipeline; all in one file, so that one worker makes each run once."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import tensorflow as tf
import yaml

from pipeline.out_folder import OutFolder
from pipeline.runner import run
from pipeline.summary import Summary
from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.errors import EncoderError, InputError, OutputError
from prodcls_tf.manifest import Manifest, check_manifest
from prodcls_tf.model.storage import build_text_to_ids
from prodcls_tf.settings import Settings

from .conftest import STEPS, Run, Shop

pytestmark = pytest.mark.slow


def test_first_run_goes_through_all_steps_and_pushes(first: Run) -> None:
    assert first.ran == STEPS
    assert list(first.summary.seconds) == STEPS
    assert first.summary.pushed
    assert first.versions == [Path(first.summary.model or "").name]


def test_pushed_model_answers_raw_text(first: Run) -> None:
    model = tf.saved_model.load(first.summary.model)
    answer = model.signatures["serving_default"](title=tf.constant(["acme usb cable 12"]))
    assert answer["categories"].shape == answer["scores"].shape == (1, 3)


def test_run_leaves_its_files(shop: Shop, first: Run) -> None:
    folder = OutFolder(shop.out)
    assert Settings.load(folder.settings) == shop.settings()
    assert json.loads(folder.intake.read_text())["rows_read"] == 160
    assert "Trainer" in folder.run_log.read_text()
    for name in ("train", "validation"):
        assert list((folder.logs / name).rglob("events.out.tfevents.*"))
    assert not folder.checkpoints.exists()


def test_beam_options_cost_no_package_of_tfx(shop: Shop, first: Run) -> None:
    log = OutFolder(shop.out).run_log.read_text()
    assert shop.settings().pipeline.beam_args
    assert "sdist" not in log


def test_summary_round_trips_and_compares_with_the_baseline(first: Run) -> None:
    summary = first.summary
    assert Summary.model_validate_json(summary.model_dump_json()) == summary
    assert list(summary.splits) == ["train", "val", "test"]
    for split in summary.splits.values():
        assert split.baseline is not None
        assert split.baseline.rows == split.rows > 0
    assert summary.peak_memory_mb > 100
    assert set(summary.versions) == {"prodcls", "python", "tensorflow", "tfx", "transformers"}


def test_model_carries_its_settings_and_metrics(first: Run) -> None:
    extra = Path(first.summary.model or "") / "assets.extra"
    assert yaml.safe_load((extra / "settings.yaml").read_text())["training"]["epochs"] == 1
    metrics = json.loads((extra / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] == first.summary.splits["test"].accuracy


def test_pushed_model_agrees_with_its_manifest(first: Run) -> None:
    version = Path(first.summary.model or "")
    assert check_manifest(version)
    assert Manifest.read(version).unlisted(version) == []


def test_evaluator_and_library_measure_the_same(shop: Shop, first: Run) -> None:
    import tensorflow_model_analysis as tfma

    (folder,) = (shop.out / "pipeline" / "Evaluator" / "evaluation").iterdir()
    figures = tfma.load_eval_result(str(folder)).get_metrics_for_all_slices()[()]
    test = first.summary.splits["test"]
    for name in ("accuracy", "macro_f1", "weighted_f1"):
        assert figures[name]["doubleValue"] == pytest.approx(getattr(test, name))


def test_transformed_examples_hold_what_the_library_makes_of_the_text(
    shop: Shop, first: Run
) -> None:
    (folder,) = (shop.out / "pipeline" / "Transform" / "transformed_examples").iterdir()
    stored = EncodedExamples.from_tfrecords([f"{folder}/Split-test/*"], ["title"])
    assert len(stored) == first.summary.splits["test"].rows
    titles = [title.decode() for title in stored.texts["title"].numpy()]
    text_to_ids = build_text_to_ids(shop.encoder, shop.settings())
    made = EncodedExamples.from_texts({"title": titles}, stored.labels, text_to_ids)
    assert stored.input_ids.to_list() == made.input_ids.to_list()
    assert stored.token_type_ids.to_list() == made.token_type_ids.to_list()


def test_labels_number_the_categories_of_the_model(shop: Shop, first: Run) -> None:
    (folder,) = (shop.out / "pipeline" / "Transform" / "transformed_examples").iterdir()
    stored = EncodedExamples.from_tfrecords([f"{folder}/Split-train/*"], ["title"])
    model = tf.saved_model.load(first.summary.model)
    with shop.products.open(encoding="utf-8", newline="") as stream:
        category = {row["title"]: row["category"] for row in csv.DictReader(stream)}
    labels = {
        category[title.decode()]: int(label)
        for title, label in zip(stored.texts["title"].numpy(), stored.labels, strict=True)
    }
    example = tf.train.Example()
    for path, label in labels.items():
        example.features.feature["category"].bytes_list.value[:] = [path.encode()]
        record = tf.constant([example.SerializeToString()])
        known = model.signatures["transform_features"](examples=record)
        assert known["label"].numpy().tolist() == [label]


def test_progress_names_each_step(first: Run, again: Run) -> None:
    assert [e.task for e in again.events if e.done == 0] == [
        f"{number}/8 {step}" for number, step in enumerate(STEPS, start=1)
    ]
    assert {e.detail for e in again.events if e.done == 1} == {"cached"}
    assert "8/8 Pusher" in [e.task for e in first.events]


def test_same_run_again_is_cached_and_names_the_same_model(first: Run, again: Run) -> None:
    assert again.ran == []
    assert again.summary.model == first.summary.model
    assert again.summary.splits == first.summary.splits
    assert again.versions == first.versions
    assert "nothing changed" in again.summary.reason


def test_model_under_a_bound_is_not_pushed(first: Run, strict: Run) -> None:
    assert strict.ran == ["Evaluator", "Pusher"]
    assert not strict.summary.pushed
    assert strict.summary.model is None
    assert strict.versions == first.versions
    assert "under evaluation.min_accuracy of 1.000" in strict.summary.reason
    assert "macro_f1 on test rows is 0." in strict.summary.reason


def test_other_training_setting_starts_at_the_trainer(first: Run, retrained: Run) -> None:
    assert retrained.ran == ["Trainer", "Evaluator", "Pusher"]
    assert len(retrained.versions) == 2
    assert retrained.summary.model != first.summary.model


def test_former_settings_push_their_model_anew(retrained: Run, returned: Run) -> None:
    assert returned.ran == ["Pusher"]
    assert Path(returned.summary.model or "").name == returned.versions[-1]
    assert len(returned.versions) == 3


def test_deleted_version_is_pushed_anew(returned: Run, restored: Run) -> None:
    assert restored.ran == ["Pusher"]
    assert Path(restored.summary.model or "").name == restored.versions[-1]
    assert len(restored.versions) == len(returned.versions)


def test_curves_are_those_of_the_model(first: Run, retrained: Run, returned: Run) -> None:
    assert first.curves
    assert not first.curves & retrained.curves
    assert returned.curves == first.curves


def test_changed_file_is_read_afresh(killed: list[str]) -> None:
    ends = [line for line in killed if line.startswith(("| 1/8", "| 2/8", "| 5/8"))]
    assert ends
    assert not [line for line in ends if line.endswith("cached")]


def test_nothing_but_progress_is_printed(killed: list[str]) -> None:
    assert [line for line in killed if not line.startswith("|")] == []


def test_killed_training_goes_on_where_it_was(shop: Shop, resumed: Run) -> None:
    assert resumed.ran == ["Trainer", "Evaluator", "Pusher"]
    assert resumed.summary.pushed
    epochs = {e.task for e in resumed.events if e.task.startswith("fine-tuning")}
    assert "fine-tuning, epoch 1 of 12" not in epochs
    assert "fine-tuning, epoch 12 of 12" in epochs
    assert not OutFolder(shop.out).checkpoints.exists()


def test_missing_column_is_told_before_tensorflow_loads(shop: Shop, tmp_path: Path) -> None:
    settings = shop.settings("data.label=kind")
    with pytest.raises(InputError, match="kind"):
        run(settings, {"all": [shop.products]}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_error_inside_a_step_comes_as_itself(shop: Shop, tmp_path: Path) -> None:
    products = tmp_path / "one.csv"
    products.write_text("title,category\n" + "".join(f"cable {n},A\n" for n in range(40)))
    with pytest.raises(InputError, match="at least two categories"):
        run(shop.settings(), {"all": [products]}, tmp_path / "out")
    assert not (tmp_path / "out" / "summary.json").exists()


def test_unreadable_encoder_is_told(shop: Shop, tmp_path: Path) -> None:
    settings = shop.settings(f"encoder.name={tmp_path}")
    with pytest.raises(EncoderError, match=r"config\.json"):
        run(settings, {"all": [shop.products]}, tmp_path / "out")


def test_output_folder_that_cannot_be_written_is_told(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="another folder"):
        run(shop.settings(), {"all": [shop.products]}, tmp_path / "file" / "out")


def test_second_run_in_the_same_folder_waits_for_the_first(shop: Shop, tmp_path: Path) -> None:
    with OutFolder(tmp_path).held(), pytest.raises(OutputError, match="another run"):
        run(shop.settings(), {"all": [shop.products]}, tmp_path)
