"""The names of all features, in one place: what the columns of a row are called on their way.

A raw example carries the text fields under the names of `field_names` and the category path under
`CATEGORY`, and under `SLICE` that of the column by which models are compared, if the settings name
one. A transformed example carries `INPUT_IDS`, `TOKEN_TYPE_IDS`, the text fields as they
were (the n-grams of the wide branch are made of them) and the category as a number, `LABEL`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

CATEGORY = "category"
SLICE = "slice_value"

INPUT_IDS = "input_ids"
TOKEN_TYPE_IDS = "token_type_ids"
ATTENTION_MASK = "attention_mask"
LABEL = "label"

# Assets of the Transform graph.
CATEGORIES_ASSET = "categories"

RESERVED = frozenset({CATEGORY, SLICE, INPUT_IDS, TOKEN_TYPE_IDS, ATTENTION_MASK, LABEL})

SPLITS = ("train", "val", "test")


def field_names(columns: Sequence[str]) -> list[str]:
    """Names text columns so that a SavedModel signature can take them as inputs.

    Args:
      columns: the user's column names, any Unicode text.

    Returns:
      One name per column, unique: a run of anything but ASCII letters, digits and underscores
      becomes one underscore, outer ones go; a name with nothing left is `text`, one that begins
      with a digit gets `text_` before it, and one that is taken or reserved gets a number.

    Example:
      >>> field_names(["Product Name", "标题", "label"])
      ['Product_Name', 'text', 'label_2']
    """
    names: list[str] = []
    for column in columns:
        stem = re.sub(r"[^A-Za-z0-9_]+", "_", column).strip("_") or "text"
        if not stem[0].isalpha():
            stem = f"text_{stem}"
        name, number = stem, 1
        while name in RESERVED or name in names:
            number += 1
            name = f"{stem}_{number}"
        names.append(name)
    return names
