"""Names of text fields."""

from __future__ import annotations

import re

import pytest

from prodcls_tf.features import RESERVED, field_names


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["title", "description"], ["title", "description"]),
        (["Product Name"], ["Product_Name"]),
        (["标题", "描述"], ["text", "text_2"]),
        (["label", "input_ids"], ["label_2", "input_ids_2"]),
        (["a b", "a-b"], ["a_b", "a_b_2"]),
        (["1st line"], ["text_1st_line"]),
    ],
)
def test_columns_get_names_that_a_signature_takes(columns, names):
    assert field_names(columns) == names
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) for name in names)
    assert not RESERVED & set(names)
