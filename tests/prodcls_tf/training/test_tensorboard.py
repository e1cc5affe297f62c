"""What a training leaves for TensorBoard, asked of TensorBoard's own HTTP server."""

from __future__ import annotations

import gzip
import io
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from prodcls_tf import ProductClassifier
from prodcls_tf.cli.tensorboard import trace_page
from prodcls_tf.errors import InputError, SettingsError
from prodcls_tf.settings import Settings
from prodcls_tf.training.fine_tuning import profiled_steps
from prodcls_tf.training.summaries import write_summaries
from tests.tiny import DEEP, tiny_rows, tiny_settings

VAL_ROWS = 30
WIDTH = 32
STEPS = {"loss", "learning_rate", "gradient_norm", "examples_per_second", "input_wait_share"}

Ask = Callable[..., bytes]


@pytest.fixture(scope="module")
def logs(tiny_encoder, tmp_path_factory):
    """Logs of a training of two epochs with four steps each."""
    folder = tmp_path_factory.mktemp("logs")
    settings = tiny_settings(tiny_encoder, "training.epochs=2", "tensorboard.profile_steps=2")
    ProductClassifier(settings).fit(tiny_rows(120), tiny_rows(VAL_ROWS, seed=3), log_dir=folder)
    return folder


@pytest.fixture(scope="module")
def ask(logs) -> Ask:
    """Asks TensorBoard, on a port of this machine, as its page does."""
    from tensorboard import program

    board = program.TensorBoard()
    board.configure(argv=["", f"--logdir={logs}", "--host=127.0.0.1", "--port=0"])
    url = board.launch().rstrip("/")

    def get(path: str, **query: object) -> bytes:
        asked = f"{url}/data/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(asked, timeout=60) as answer:
            packed = answer.headers.get("Content-Encoding") == "gzip"
            return gzip.decompress(answer.read()) if packed else answer.read()

    end = time.monotonic() + 60
    while "calibration" not in answer(get, "plugin/images/tags").get("validation", {}):
        assert time.monotonic() < end, "TensorBoard does not read the logs"
        time.sleep(0.2)
    return get


def answer(ask: Ask, path: str, **query: object) -> Any:
    return json.loads(ask(path, **query))


@pytest.mark.parametrize(
    "plugin", ["scalars", "images", "histograms", "text", "projector", "profile"]
)
def test_dashboard_is_active(ask, plugin):
    # TensorBoard looks for the projector's files in a thread of its own.
    end = time.monotonic() + 30
    while not answer(ask, "plugins_listing")[plugin]["enabled"]:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_scalars_have_the_curves_of_epochs_and_steps(ask):
    tags = answer(ask, "plugin/scalars/tags")
    figures = {"loss", "accuracy", "macro_f1"}
    assert {f"epoch_{name}" for name in figures | {"learning_rate"}} <= set(tags["train"])
    assert {f"epoch_{name}" for name in figures} <= set(tags["validation"])
    assert {tag for tag in tags["train"] if not tag.startswith("epoch_")} == {
        f"step/{name}" for name in STEPS
    }


@pytest.mark.parametrize("name", sorted(STEPS))
def test_curve_over_steps_has_sound_values(ask, name):
    series = answer(ask, "plugin/scalars/scalars", run="train", tag=f"step/{name}")
    assert [step for _, step, _ in series] == [4, 8]
    highest = {"input_wait_share": 1.0, "learning_rate": 1e-4}.get(name, np.inf)
    lowest = 0.0 if name == "input_wait_share" else 1e-9
    assert all(lowest <= value <= highest and np.isfinite(value) for _, _, value in series)


@pytest.mark.parametrize("tag", ["confusion matrix", "calibration"])
def test_picture_can_be_fetched(ask, tag):
    (found,) = answer(ask, "plugin/images/images", run="validation", tag=tag, sample=0)
    query = dict(urllib.parse.parse_qsl(found["query"]))
    pixels = imread(io.BytesIO(ask("plugin/images/individualImage", **query)))
    assert min(pixels.shape[:2]) > 300
    assert pixels[..., :3].std() > 0.05


def test_histogram_counts_each_category_once(ask):
    ((_, _, buckets),) = answer(
        ask, "plugin/histograms/histograms", run="validation", tag="category F1"
    )
    assert sum(count for _, _, count in buckets) == 3
    assert buckets[-1][1] <= 1.0


def test_text_has_a_table_of_categories_worst_first(ask):
    (found,) = answer(ask, "plugin/text/text", run="validation", tag="categories by F1")
    rows = found["text"].split("<tr>")[2:]
    f1 = [float(row.split("</td>")[1].rpartition(">")[2]) for row in rows]
    assert len(f1) == 3
    assert f1 == sorted(f1)
    assert "Phones &gt; Cases" in found["text"]


def test_text_has_the_settings(ask):
    (found,) = answer(ask, "plugin/text/text", run="validation", tag="settings")
    assert "profile_steps: 2" in found["text"]


def test_projector_has_a_vector_and_labels_for_each_validation_row(ask):
    runs = answer(ask, "plugin/projector/runs")
    assert runs == ["validation"]
    (embedding,) = answer(ask, "plugin/projector/info", run=runs[0])["embeddings"]
    assert embedding["tensorShape"] == [VAL_ROWS, WIDTH]
    name = {"run": runs[0], "name": embedding["tensorName"]}
    vectors = np.frombuffer(ask("plugin/projector/tensor", **name), np.float32)
    lengths = np.linalg.norm(vectors.reshape(VAL_ROWS, WIDTH), axis=1)
    np.testing.assert_allclose(lengths, WIDTH**0.5, rtol=1e-4)
    lines = ask("plugin/projector/metadata", **name).decode().splitlines()
    rows = tiny_rows(VAL_ROWS, seed=3)
    assert [line.split("\t")[0] for line in lines[1:]] == rows["category"]
    assert [line.split("\t")[4] for line in lines[1:]] == rows["title"]


def test_profile_holds_the_steps_that_were_asked_for(logs):
    (trace,) = logs.glob("plugins/profile/*/*.xplane.pb")
    assert b"train_function" in trace.read_bytes()


def test_profile_can_be_looked_at(ask):
    (run,) = answer(ask, "plugin/profile/runs")
    tools = answer(ask, "plugin/profile/run_tools", run=run)
    assert any(tool.startswith("trace_viewer") for tool in tools)


def test_page_of_the_trace_has_the_steps(ask, logs):
    page = urllib.parse.urlsplit(trace_page(logs))
    assert b"trace_viewer_index.js" in ask(page.path.removeprefix("/data/"))
    asked = dict(urllib.parse.parse_qsl(page.query))["trace_data_url"]
    data = urllib.parse.urlsplit(asked)
    query = dict(urllib.parse.parse_qsl(data.query))
    trace = answer(ask, data.path.removeprefix("/data/"), **query)
    assert "train_function" in {event.get("name") for event in trace["traceEvents"]}


def test_page_of_the_trace_is_that_of_the_newest_profile(tmp_path):
    assert trace_page(tmp_path) == ""
    for folder in ("plugins/profile/2026_01_02_10_00_00", "1/plugins/profile/2026_01_03_09_00_00"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "host.xplane.pb").touch()
    assert "run%3D1%252F2026_01_03_09_00_00%26" in trace_page(tmp_path)


def test_no_profile_and_no_titles_are_written_unless_wanted(tiny_encoder, tmp_path):
    settings = tiny_settings(tiny_encoder, "tensorboard.embeddings=false", DEEP)
    trained = ProductClassifier(settings).fit(tiny_rows(60), log_dir=tmp_path)
    assert trained.embedded is None
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert names and all(name.startswith("events.out.tfevents.") for name in names)


def test_logs_change_no_bit_of_the_model(tiny_encoder, tmp_path):
    settings = tiny_settings(tiny_encoder, "training.epochs=2", DEEP)
    weights = []
    for log_dir in (None, tmp_path):
        classifier = ProductClassifier(settings)
        classifier.fit(tiny_rows(60), log_dir=log_dir)
        weights.append([variable.numpy() for variable in classifier.model.named_variables.values()])
    for without, with_logs in zip(*weights, strict=True):
        np.testing.assert_array_equal(without, with_logs)


def test_profile_of_a_negative_number_of_steps_is_refused():
    with pytest.raises(SettingsError, match="profile_steps"):
        Settings.load(overrides=["tensorboard.profile_steps=-1"])


def test_profile_is_taken_after_the_first_steps_or_of_what_there_is():
    assert [profiled_steps(*case) for case in ((0, 99), (3, 99), (3, 11), (5, 2))] == [
        0,
        (10, 12),
        (9, 11),
        (1, 2),
    ]


def test_summaries_of_no_rows_are_refused(tmp_path):
    with pytest.raises(InputError, match="labelled rows"):
        write_summaries(tmp_path, Settings(), ["A", "B"], np.empty(0, int), np.empty((0, 2)))
