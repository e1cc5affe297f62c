"""The graphs of a SavedModel, with their functions as bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.message import DecodeError
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from serving.server.graph_file import read_graphs
from tests.serving.tiny_model import save_tiny_model


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder: Path = save_tiny_model(tmp_path_factory.mktemp("model") / "1")
    return (folder / "saved_model.pb").read_bytes()


def test_functions_and_all_the_rest_make_the_whole(content: bytes) -> None:
    ((meta, functions),) = read_graphs(content)
    assert functions and not meta.graph_def.library.function
    meta.graph_def.library.function.extend(map(FunctionDef.FromString, functions))
    assert meta == SavedModel.FromString(content).meta_graphs[0]


def test_each_graph_has_its_own_functions(content: bytes) -> None:
    both = SavedModel.FromString(content)
    both.meta_graphs.add().meta_info_def.tags.append("other")
    (_, functions), (other, none) = read_graphs(both.SerializeToString())
    assert functions and not none
    assert other.meta_info_def.tags == ["other"]


def test_gradients_of_functions_stay(content: bytes) -> None:
    saved = SavedModel.FromString(content)
    saved.meta_graphs[0].graph_def.library.gradient.add(function_name="f", gradient_func="g")
    ((meta, _),) = read_graphs(saved.SerializeToString())
    assert meta.graph_def.library.gradient[0].gradient_func == "g"


def test_nothing_is_no_graph() -> None:
    assert list(read_graphs(b"")) == []


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_file_that_ends_too_early_is_refused(content: bytes, part: float) -> None:
    with pytest.raises(DecodeError):
        list(read_graphs(content[: int(part * len(content))]))
