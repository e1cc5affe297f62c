from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from serving.server.background import requests_first
from serving.server.loading import run_options
from serving.server.servable import Servable, ServableId
from serving.server.status import Code, ServingError
from tests.serving.tiny_model import save_tiny_model

GRAPH = "saved_model.pb"
INDEX = "variables/variables.index"
DATA = "variables/variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("whole") / "1")


@pytest.fixture
def version(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "1"))


def cut(file: Path, keep: Callable[[int], int]) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: keep(len(data))])


def refusal(version: Path, **options: object) -> ServingError:
    with pytest.raises(ServingError) as caught:
        Servable.load(ServableId("m", 1), version, **options)
    assert str(version) in caught.value.message
    return caught.value


@pytest.mark.parametrize("missing", [GRAPH, INDEX, DATA])
def test_a_version_without_one_of_its_files_is_refused(version, missing):
    (version / missing).unlink()
    assert refusal(version).code in (Code.NOT_FOUND, Code.DATA_LOSS)


def test_a_version_without_its_variables_folder_is_refused(version):
    shutil.rmtree(version / "variables")
    assert "without variables/variables.index" in refusal(version).message


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("file", [GRAPH, INDEX, DATA])
def test_a_file_that_was_cut_off_is_refused(version, file, part):
    cut(version / file, lambda size: int(size * part))
    assert refusal(version).code in (Code.DATA_LOSS, Code.NOT_FOUND)


def test_variables_that_lack_their_last_byte_are_refused(version):
    cut(version / DATA, lambda size: size - 1)
    assert refusal(version).code is Code.DATA_LOSS


@pytest.mark.parametrize("place", [0.05, 0.3, 0.6, 0.95])
def test_variables_with_a_flipped_bit_are_refused(version, place):
    data = bytearray((version / DATA).read_bytes())
    data[int(len(data) * place)] ^= 4
    (version / DATA).write_bytes(bytes(data))
    assert refusal(version).code is Code.DATA_LOSS


def test_a_graph_that_is_none_is_refused(version):
    (version / GRAPH).write_bytes(b"not a model" * 99)
    assert refusal(version).code is Code.DATA_LOSS


def test_a_graph_with_an_operation_that_is_not_there_is_refused(version):
    graph = (version / GRAPH).read_bytes()
    (version / GRAPH).write_bytes(graph.replace(b"CaseFoldUTF8", b"CaseFoldUTF9"))
    assert "CaseFoldUTF9" in refusal(version).message


def test_a_graph_without_the_tags_is_refused(version):
    error = refusal(version, tags=("serve", "gpu"))
    assert error.code is Code.NOT_FOUND
    assert error.message.startswith(
        "Could not find meta graph def matching supplied tags: { serve gpu }"
    )


def test_a_version_that_cannot_be_read_is_refused(version):
    (version / GRAPH).unlink()
    (version / GRAPH).mkdir()
    assert refusal(version).code is Code.PERMISSION_DENIED


def test_a_run_behind_requests_stays_in_its_thread():
    with requests_first(True):
        behind = run_options(timeout_ms=20)
    assert behind is not None
    assert behind.timeout_in_ms == 20
    assert behind.inter_op_thread_pool == (-1 if sys.platform == "linux" else 0)


def test_a_run_for_a_request_is_left_to_tensorflow():
    assert run_options() is None
    limited = run_options(timeout_ms=20)
    assert limited is not None
    assert (limited.timeout_in_ms, limited.inter_op_thread_pool) == (20, 0)


def test_a_version_loaded_behind_requests_is_the_same(version, whole):
    def answer(folder: Path) -> list[float]:
        servable = Servable.load(ServableId("m", 1), folder)
        signature = servable.signatures["serving_default"]
        inputs = {alias: np.array([b"red shoes"], object) for alias in signature.inputs}
        return servable.run(signature, inputs, ["scores"])["scores"].tolist()

    with requests_first(True):
        behind = answer(version)
    assert behind == answer(whole)
