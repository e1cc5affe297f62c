"""The gate between a model and production: real servers, which load good and bad models."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tfx.types.standard_artifacts import InfraBlessing, Model

from pipeline.canaries import Canaries, CanaryRow
from pipeline.canary import CanaryExecutor, failure, questioned
from pipeline.canary_server import CanaryServer, RefusedError, as_version, started
from pipeline.gates import GateReport
from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.errors import RunError
from prodcls_tf.manifest import write_manifest
from tests.serving.tiny_model import CATEGORIES, save_tiny_model

SECONDS = 120.0


class _Keras:
    """What the Trainer has in place of the SavedModel: fields to logits."""

    def __init__(self, folder: Path) -> None:
        self._model = tf.saved_model.load(str(folder))

    def __call__(self, columns: list[tf.Tensor]) -> tf.Tensor:
        title, description = columns
        answer = self._model.signatures["serving_default"](title=title, description=description)
        rows = zip(answer["categories"].numpy(), answer["scores"].numpy(), strict=True)
        scores = [dict(zip((c.decode() for c in cs), ss, strict=True)) for cs, ss in rows]
        return tf.math.log([[row[category] for category in CATEGORIES] for row in scores])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Trainer's artifact: a model, and beside it the canaries."""
    folder = tmp_path_factory.mktemp("trained")
    model = save_tiny_model(folder / "Format-Serving")
    write_manifest(model)
    titles = ["headphones", "frying pan", "猫 food", "pan for headphones"] * 20
    texts = {"title": tf.constant(titles), "description": tf.constant([""] * 80)}
    ids = tf.ragged.constant([[1]] * 80)
    rows = EncodedExamples(ids, ids, texts, tf.zeros(80).numpy())
    Canaries.record(_Keras(model), CATEGORIES, rows, top_k=3).write(folder)
    return folder


@pytest.fixture(scope="module")
def running() -> Iterator[CanaryServer]:
    """One server for all models."""
    with started(SECONDS) as server:
        server.wait()
        yield server


@pytest.fixture
def server(running: CanaryServer) -> Iterator[CanaryServer]:
    """The server, which lets go of its model afterwards."""
    yield running
    nothing = ReloadConfigRequest()
    nothing.config.model_config_list.SetInParent()
    ModelServiceStub(running._channel).HandleReloadConfigRequest(nothing)


def _copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "trained")) / "Format-Serving"


def test_canaries_are_test_rows_and_hostile_texts(trained: Path) -> None:
    canaries = Canaries.read(trained)
    names = [row.name for row in canaries.rows]
    assert names[0] == "test row 1"
    assert names.count("the empty text") == 1
    assert len([name for name in names if name.startswith("test row")]) == 32
    assert all(len(row.answer) == 3 and len(row.texts) == 2 for row in canaries.rows)
    assert any(b"\xff\xfe" in row.texts[0] for row in canaries.rows)


def test_good_model_answers_as_it_was_trained_to(
    server: CanaryServer, trained: Path, tmp_path: Path
) -> None:
    with as_version(trained / "Format-Serving", tmp_path) as base:
        server.load(base)
        assert questioned(server, Canaries.read(trained)) == ""
    assert list(tmp_path.iterdir()) == []


def test_other_answer_is_told_with_row_category_and_scores(
    server: CanaryServer, trained: Path, tmp_path: Path
) -> None:
    canaries = Canaries.read(trained)
    last = canaries.rows[-1]
    last.answer[0] = (last.answer[0][0], last.answer[0][1] + 0.001)
    with as_version(trained / "Format-Serving", tmp_path) as base:
        server.load(base)
        said = questioned(server, canaries)
    assert "does not answer as the training did: to 100 kB of text it says" in said
    assert f"{last.answer[0][1]:.6f}" in said


@pytest.mark.parametrize("cut", ["variables/variables.data-00000-of-00001", "saved_model.pb"])
def test_truncated_model_is_refused(
    server: CanaryServer, trained: Path, tmp_path: Path, cut: str
) -> None:
    model = _copy(trained, tmp_path)
    os.truncate(model / cut, (model / cut).stat().st_size // 2)
    with as_version(model, tmp_path) as base, pytest.raises(RefusedError, match="cannot load"):
        server.load(base)


def test_model_of_other_fields_is_refused(
    server: CanaryServer, trained: Path, tmp_path: Path
) -> None:
    other = save_tiny_model(tmp_path / "other", ("name",))
    write_manifest(other)
    with as_version(other, tmp_path) as base:
        server.load(base)
        with pytest.raises(RefusedError, match="cannot answer.*test row 1 and 31 others"):
            questioned(server, Canaries.read(trained))


def test_model_without_canaries_is_refused(trained: Path, tmp_path: Path) -> None:
    said = failure(trained / "Format-Serving", tmp_path, tmp_path, SECONDS)
    assert "nothing to hold the model's answers against" in said


def _executed(trained: Path, out: Path, seconds: float = SECONDS) -> InfraBlessing:
    model, blessing = Model(), InfraBlessing()
    model.uri, blessing.uri = str(trained), str(out)
    out.mkdir()
    CanaryExecutor().Do({"model": [model]}, {"blessing": [blessing]}, {"seconds": seconds})
    return blessing


def test_truncated_model_is_not_blessed_and_the_reason_is_kept(
    trained: Path, tmp_path: Path
) -> None:
    model = _copy(trained, tmp_path)
    os.truncate(model / "variables" / "variables.data-00000-of-00001", 3)
    blessing = _executed(model.parent, tmp_path / "out")
    assert blessing.get_int_custom_property("blessed") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "INFRA_NOT_BLESSED",
        "report.json",
    ]
    (reason,) = GateReport.read(tmp_path / "out").reasons
    assert reason.startswith("the new model is not whole")
    assert "variables.data" in reason


def test_server_that_does_not_start_is_no_fault_of_the_model(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"more than 0.2 s.*evaluation.canary_seconds"):
        _executed(trained, tmp_path / "out", seconds=0.2)
    assert not (tmp_path / "out" / "INFRA_NOT_BLESSED").exists()


ROW = CanaryRow(name="a row", texts=[b"x"], answer=[("A", 0.5), ("B", 0.3), ("C", 0.15)])


@pytest.mark.parametrize(
    "answer",
    [
        [("A", 0.5), ("B", 0.3), ("C", 0.15)],
        [("A", 0.50009), ("B", 0.29991), ("C", 0.15)],
        # Of equal scores, the order is chance, and so is which of them comes last.
        [("A", 0.5), ("B", 0.3), ("D", 0.15005)],
    ],
)
def test_answer_within_rounding_agrees(answer: list[tuple[str, float]]) -> None:
    assert ROW.disagreement(answer, 1e-4) == ""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([("A", 0.5002), ("B", 0.3), ("C", 0.15)], "'A' with a score of 0.500200 instead of"),
        ([("B", 0.5), ("A", 0.3), ("C", 0.15)], "'B' with a score"),
        ([("A", 0.5), ("B", 0.3), ("D", 0.2)], "'D' with a score of 0.200000 instead of at most"),
        ([("A", math.nan), ("B", 0.3), ("C", 0.15)], "nan"),
        ([("A", 0.5), ("B", 0.3)], "2 categories instead of 3"),
        ([], "0 categories"),
    ],
)
def test_other_answer_disagrees(answer: list[tuple[str, float]], said: str) -> None:
    assert said in ROW.disagreement(answer, 1e-4)


def test_server_ends_with_the_pipeline_that_started_it() -> None:
    with started(SECONDS) as server:
        assert server._process.poll() is None
        # What the system does for a pipeline that is killed.
        server._process.stdin.close()
        assert server._process.wait(timeout=60) == 1


def test_server_that_was_killed_is_no_fault_of_the_model(tmp_path: Path) -> None:
    with started(SECONDS) as server:
        server._process.kill()
        with pytest.raises(RunError, match="ended by signal 9: the system may be out of memory"):
            server.wait()
        with pytest.raises(RunError, match=r"could not load the model \(UNAVAILABLE.*signal 9"):
            server.load(tmp_path)
