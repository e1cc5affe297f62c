"""Runs of the whole pipeline; all in one file, so that one worker makes each run once."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
import yaml

from pipeline.category_figures import category_f1
from pipeline.history import read_history
from pipeline.out_folder import OutFolder
from pipeline.summary import Summary
from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.evaluation.category_changes import read_changes
from prodcls_tf.manifest import Manifest, check_manifest
from prodcls_tf.model.storage import build_text_to_ids
from prodcls_tf.settings import Settings

from .conftest import LONG, STEPS, Run, Shop

pytestmark = pytest.mark.slow
WRITER = Path(__file__).with_name("store_writer.py")


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
    report = json.loads(folder.intake.read_text())
    assert report["rows_read"] == 160
    listed = folder.rejects.read_text().splitlines()
    assert listed[0] == "file,line,reason,excerpt"
    assert len(listed) - 1 == 160 - sum(report["kept"].values())
    assert json.loads(folder.anomalies.read_text()) == {"against": None, "anomalies": []}
    assert (folder.schema / "1" / "schema.pbtxt").is_file()
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
        f"{number}/{len(STEPS)} {step}" for number, step in enumerate(STEPS, start=1)
    ]
    assert {e.detail for e in again.events if e.done == 1} == {"cached"}
    assert "11/11 Pusher" in [e.task for e in first.events]


def test_same_run_again_is_cached_and_names_the_same_model(first: Run, again: Run) -> None:
    assert again.ran == []
    assert again.summary.model == first.summary.model
    assert again.summary.splits == first.summary.splits
    assert again.versions == first.versions
    assert "nothing changed" in again.summary.reason


def test_model_under_a_bound_is_not_pushed(first: Run, strict: Run) -> None:
    assert strict.ran == ["Evaluator", "Comparison", "Pusher"]
    assert not strict.summary.pushed
    assert strict.summary.model is None
    assert strict.versions == first.versions
    assert "under evaluation.min_accuracy of 1.000" in strict.summary.reason
    assert "macro_f1 on test rows is 0." in strict.summary.reason


def test_history_says_that_a_serving_model_missed_later_bounds(shop: Shop, strict: Run) -> None:
    (training,) = read_history(shop.out).trainings
    assert training.blessed is False
    bounds = training.settings["evaluation"]
    assert (bounds["min_accuracy"], bounds["min_macro_f1"], bounds["max_drop"]) == (1.0, 1.0, 1.0)
    assert "under evaluation.min_accuracy of 1.000" in training.verdict
    assert training.pushed is not None
    assert training.pushed.serves


def test_other_training_setting_starts_at_the_trainer(first: Run, retrained: Run) -> None:
    assert retrained.ran == STEPS[STEPS.index("Trainer") :]
    assert len(retrained.versions) == 2
    assert retrained.summary.comparison is not None
    assert retrained.summary.comparison.version == first.versions[0]
    assert retrained.summary.model != first.summary.model


def test_former_settings_push_their_model_anew(retrained: Run, returned: Run) -> None:
    # The model that serves is another one since: it is compared with that.
    assert returned.ran == ["Comparison", "Pusher"]
    assert returned.summary.comparison is not None
    assert returned.summary.comparison.version == retrained.versions[-1]
    assert Path(returned.summary.model or "").name == returned.versions[-1]
    assert len(returned.versions) == 3


def test_deleted_version_is_pushed_anew(returned: Run, restored: Run) -> None:
    assert "Pusher" in restored.ran
    assert Path(restored.summary.model or "").name == restored.versions[-1]
    assert len(restored.versions) == len(returned.versions)


def test_damaged_former_result_is_made_anew(restored: Run) -> None:
    assert restored.ran == ["Comparison", "Pusher"]
    assert "Comparison was damaged" in [event.detail for event in restored.events]


def test_run_does_not_undo_a_rollback(restored: Run, rolled_back: Run) -> None:
    assert rolled_back.ran == []
    assert rolled_back.versions == restored.versions
    assert f"prodcls models promote {restored.versions[-1]}" in rolled_back.summary.reason


def test_curves_are_those_of_the_model(first: Run, retrained: Run, returned: Run) -> None:
    assert first.curves
    assert not first.curves & retrained.curves
    assert returned.curves == first.curves


def test_changed_file_is_read_afresh(killed: list[str]) -> None:
    ends = [line for line in killed if line.startswith(("| 1/11", "| 2/11", "| 6/11"))]
    assert ends
    assert not [line for line in ends if line.endswith("cached")]


def test_nothing_but_progress_is_printed(killed: list[str]) -> None:
    assert [line for line in killed if not line.startswith("|")] == []


def test_history_lists_a_killed_training(shop: Shop, killed: list[str]) -> None:
    history = read_history(shop.out)
    assert [run.state for run in history.unfinished] == ["killed"]
    assert len(history.trainings) == 2
    with OutFolder(shop.out).held():
        assert [run.state for run in read_history(shop.out).unfinished] == ["under way"]


def test_killed_training_goes_on_where_it_was(shop: Shop, resumed: Run) -> None:
    assert resumed.ran == STEPS[STEPS.index("Trainer") :]
    assert resumed.summary.pushed
    epochs = {e.task for e in resumed.events if e.task.startswith("fine-tuning")}
    assert "fine-tuning, epoch 1 of 12" not in epochs
    assert "fine-tuning, epoch 12 of 12" in epochs
    assert not OutFolder(shop.out).checkpoints.exists()


def test_history_has_each_model_newest_first(
    shop: Shop, first: Run, retrained: Run, resumed: Run
) -> None:
    history = read_history(shop.out)
    figures = [training.figures for training in history.trainings]
    assert figures == [run.summary.splits for run in (resumed, retrained, first)]
    assert history.unfinished == ()
    assert history.problems == ()


def test_history_tells_settings_and_files(
    shop: Shop, first: Run, retrained: Run, resumed: Run
) -> None:
    after, other, before = read_history(shop.out).trainings
    assert other.settings["training"]["learning_rate"] == 0.01
    assert other.origin == before.origin
    assert after.origin.fingerprint != before.origin.fingerprint
    assert before.origin.files == (str(shop.products),)
    trained = shop.settings(*LONG).model_copy(update={"pipeline": Settings().pipeline})
    assert Settings.parse(dict(after.settings)) == trained


def test_history_tells_which_version_serves(copied: Path) -> None:
    after, other, before = read_history(copied).trainings
    assert [version.serves for version in after.versions] == [True]
    assert [version.serves for version in other.versions] == [False]
    shutil.rmtree(after.versions[0].folder)
    after, other, before = read_history(copied).trainings
    assert "deleted since" in after.verdict
    there = [training.pushed and training.pushed.there for training in (after, other, before)]
    assert there == [False, True, True]
    assert before.pushed is not None
    assert before.pushed.serves


def test_history_tells_steps_and_time(shop: Shop, retrained: Run, resumed: Run) -> None:
    _, other, _ = read_history(shop.out).trainings
    assert [step.step for step in other.steps] == STEPS
    assert [step.step for step in other.steps if not step.cached] == retrained.ran
    assert other.seconds == pytest.approx(retrained.summary.seconds["Trainer"], abs=1)


def test_f1_by_category_is_what_tfma_reads(shop: Shop, resumed: Run) -> None:
    import tensorflow_model_analysis as tfma

    training = read_history(shop.out).trainings[0]
    result = tfma.load_eval_result(str(training.evaluation))
    ((_, outputs),) = result.slicing_metrics
    by_category = (figures for key, figures in outputs[""].items() if "classId" in key)
    read = sorted(figures["f1"]["doubleValue"] for figures in by_category)
    shown = category_f1(training)
    assert sorted(shown.values()) == read
    assert set(shown) <= {"Audio", "Phones > Cables", "Phones > Cases"}
    assert training.test is not None
    assert sum(read) / len(read) == pytest.approx(training.test.macro_f1)


def test_history_of_a_moved_folder_is_found_where_it_is(copied: Path) -> None:
    training = read_history(copied).trainings[0]
    assert training.model is not None
    assert training.model.is_relative_to(copied)
    assert training.model.is_dir()
    assert training.pushed is not None
    assert training.pushed.serves


def test_history_of_deleted_artifacts_keeps_the_settings(copied: Path, retrained: Run) -> None:
    shutil.rmtree(copied / "pipeline")
    figures = [training.figures for training in read_history(copied).trainings]
    assert all(figures), "pushed versions have them, too"
    shutil.rmtree(copied / "serving")
    after, other, _ = read_history(copied).trainings
    assert after.figures == figures[0], "those of the last run are in the summary"
    assert not other.figures
    assert "deleted" in other.missing[0]
    assert other.settings["training"]["learning_rate"] == 0.01
    assert category_f1(other) == {}


def test_history_is_read_beside_a_writer(copied: Path) -> None:
    metadata = OutFolder(copied).metadata
    before = metadata.read_bytes()
    command = [sys.executable, WRITER, metadata, "hold"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert len(read_history(copied).trainings) == 3
        writer.communicate(b"\n")
    assert metadata.read_bytes() == before


def test_history_is_read_after_a_killed_write(copied: Path) -> None:
    metadata = OutFolder(copied).metadata
    subprocess.run([sys.executable, WRITER, metadata, "die"], check=False)
    journal = metadata.with_name("metadata.sqlite-journal")
    assert journal.exists()
    history = read_history(copied)
    assert (len(history.trainings), history.problems) == (3, ())
    assert journal.exists()


def test_runs_are_listed_shown_and_compared(
    shop: Shop, retrained: Run, resumed: Run, prodcls: Callable[..., subprocess.CompletedProcess]
) -> None:
    listed = prodcls("runs", "list", shop.out, "--json")
    after, other, before = (run["run"] for run in json.loads(listed.stdout)["runs"])
    shown = prodcls("runs", "show", other)
    compared = prodcls("runs", "compare", before, other)
    assert (listed.stderr, shown.stderr, compared.stderr) == ("", "", "")
    assert "training.learning_rate=0.01" in shown.stdout
    assert Path(retrained.summary.model or "").name in shown.stdout
    assert "F1 by category" in compared.stdout
    several = prodcls("runs", "show", shop.out)
    assert several.returncode == 2
    assert all(name in several.stderr for name in (after, other, before))


def test_runs_are_read_without_tensorflow(copied: Path, fresh_python: Callable[..., str]) -> None:
    loaded = fresh_python(
        "import sys; from prodcls_tf.cli import main;"
        f"main(['runs', 'list', {str(copied)!r}, '--debug']);"
        "print('LOADED', *({'tensorflow', 'tfx', 'numpy', 'apache_beam'} & set(sys.modules)))"
    )
    assert loaded.splitlines()[-1] == "LOADED"


def test_model_that_is_worse_than_the_serving_one_is_not_pushed(resumed: Run, worse: Run) -> None:
    assert worse.ran == STEPS[STEPS.index("Trainer") :]
    assert not worse.summary.pushed
    assert worse.versions == resumed.versions
    serving = resumed.versions[-1]
    assert f"of version {serving}, which serves" in worse.summary.reason
    assert "evaluation.max_drop allows 0.005" in worse.summary.reason
    assert "test rows of category 'Phones'" in worse.summary.reason


def test_old_trainings_leave_their_figures_alone(shop: Shop, worse: Run) -> None:
    models = sorted((shop.out / "pipeline" / "Trainer" / "model").glob("*/*/saved_model.pb"))
    last, *former = read_history(shop.out).trainings
    assert [model.parent for model in models] == [last.model]
    assert all(training.figures and category_f1(training) for training in former)


def test_models_are_compared_by_a_column_of_the_files_too(worse: Run) -> None:
    assert worse.summary.comparison is not None
    slices = [one.slice for one in worse.summary.comparison.changes if one.kind == "store"]
    assert slices == ["north", "south"]


def test_run_leaves_what_became_of_each_category(shop: Shop, worse: Run) -> None:
    changes = {one.category: one for one in read_changes(OutFolder(shop.out).categories)}
    assert set(changes) == {"Audio", "Phones > Cables", "Phones > Cases"}
    assert sum(one.lost for one in changes.values()) > sum(one.won for one in changes.values())


def test_history_tells_why_a_worse_model_was_not_pushed(
    shop: Shop, worse: Run, prodcls: Callable[..., subprocess.CompletedProcess]
) -> None:
    training = read_history(shop.out).trainings[0]
    assert training.blessed is False
    assert training.comparison == worse.summary.comparison
    assert worse.summary.reason == f"the model was not pushed: {training.verdict}"
    shown = prodcls("runs", "show", f"{shop.out}:{training.id}")
    assert "evaluation.max_drop allows 0.005" in shown.stdout
    assert "beside version" in shown.stdout
