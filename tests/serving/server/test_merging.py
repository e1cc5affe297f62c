from __future__ import annotations

import numpy as np
import pytest

from serving.server.merging import likeness, merge, split
from serving.server.status import Code, ServingError
from tests.serving.server.loaded import strings


def test_rows_are_put_below_each_other():
    merged = merge([{"t": strings(b"a", b"b")}, {"t": strings(b"c")}], rows=3, pad_lengths=False)
    assert merged["t"].tolist() == [b"a", b"b", b"c"]


def test_a_single_request_is_not_copied():
    array = strings(b"a")
    assert merge([{"t": array}], rows=1, pad_lengths=False)["t"] is array


def test_a_batch_is_filled_up_with_the_first_row_of_the_last_request():
    merged = merge([{"t": strings(b"a")}, {"t": strings(b"b", b"c")}], rows=5, pad_lengths=False)
    assert merged["t"].tolist() == [b"a", b"b", b"c", b"b", b"b"]


def test_shorter_rows_are_padded_with_their_first_value():
    parts = [{"x": np.array([[1, 2, 3]])}, {"x": np.array([[7], [8]])}]
    merged = merge(parts, rows=3, pad_lengths=True)
    assert merged["x"].tolist() == [[1, 2, 3], [7, 7, 7], [8, 7, 7]]


def test_rows_without_a_value_cannot_be_padded():
    parts = [{"x": np.zeros((1, 2))}, {"x": np.zeros((1, 0))}]
    with pytest.raises(ServingError, match="Got empty tensor in batch of non-empty tensors"):
        merge(parts, rows=2, pad_lengths=True)


def test_alike_are_requests_whose_rows_have_the_same_types_and_sizes():
    x = np.zeros((1, 2), np.float32)
    same, longer, other = np.ones((5, 2), np.float32), np.zeros((1, 3), np.float32), x.astype(int)

    def alike(array: np.ndarray, pad_lengths: bool) -> bool:
        return likeness({"x": x}, pad_lengths=pad_lengths) == likeness(
            {"x": array}, pad_lengths=pad_lengths
        )

    assert alike(same, False) and not alike(longer, False) and not alike(other, False)
    assert alike(longer, True) and not alike(x[0], True) and not alike(other, True)


def test_each_request_gets_its_rows_back_and_nobody_the_filling():
    outputs = {"y": np.arange(10).reshape(5, 2)}
    first, second = split(outputs, sizes=[1, 2], rows=5)
    assert first["y"].tolist() == [[0, 1]]
    assert second["y"].tolist() == [[2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("array", "begin"),
    [
        (np.array(1), "Batched output tensor has 0 dimensions"),
        (np.zeros(1), "Batched output tensor's 0th dimension does not equal the sum"),
    ],
)
def test_a_model_that_does_not_answer_row_by_row_cannot_be_batched(array, begin):
    with pytest.raises(ServingError) as caught:
        split({"y": array}, sizes=[2], rows=2)
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert caught.value.message.startswith(begin)
