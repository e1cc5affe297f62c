"""What the product files look like."""

from __future__ import annotations

from typing import Literal

import pydantic
from pydantic import Field

from prodcls_tf import features
from prodcls_tf.sections.section import Section, Share


class DataSettings(Section):
    """What the columns of a product file are called and how its rows are split."""

    text: list[str] = Field(
        ["title"], min_length=1, description="text columns; the first one is the title"
    )
    label: str = Field("category", description="column with the category path")
    separator: str = Field(" > ", min_length=1, description="what separates a path's levels")
    val_share: Share = Field(0.1, gt=0.0, description="share of rows that choose the best weights")
    test_share: Share = Field(0.1, gt=0.0, description="share of rows that are held out")
    group: str = Field("", description="column whose equal values share a split; empty for none")
    near_duplicates: Literal["group", "drop", "off"] = Field(
        "group",
        description="texts of the same words: in one split, as one row, or as any others",
    )
    conflicts: Literal["majority", "drop"] = Field(
        "majority",
        description="text under several categories: most rows win, or all are left out",
    )
    clean: bool = Field(True, description="take markup, controls and needless blanks out of texts")
    max_rejects: float = Field(
        0.01, ge=0.0, le=1.0, description="share of unreadable rows that stops a run if exceeded"
    )
    encoding: str = Field("auto", description="encoding of CSV and JSON lines files")
    delimiter: str = Field("auto", description="what separates the cells of a CSV file")
    slice_by: str = Field(
        "", description="column by whose values models are compared, too; empty for none"
    )
    spans: int = Field(
        0, ge=0, description="newest `span-N` folders that are learned from; 0 for all"
    )

    @pydantic.field_validator("text")
    @classmethod
    def _distinct(cls, columns: list[str]) -> list[str]:
        if len(set(columns)) != len(columns):
            raise ValueError("each text column may be named once")
        return columns

    @pydantic.field_validator("delimiter")
    @classmethod
    def _one_sign(cls, delimiter: str) -> str:
        delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
        if delimiter != "auto" and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
            raise ValueError("a delimiter is auto, tab, or one character that is no quote")
        return delimiter

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> DataSettings:
        if self.label in self.text:
            raise ValueError(f"the label column {self.label!r} cannot be a text column too")
        if self.slice_by == self.label:
            raise ValueError(f"models are compared by the label column {self.label!r} already")
        if self.group == self.label:
            raise ValueError(f"the label column {self.label!r} cannot be the group column too")
        if self.val_share + self.test_share >= 1.0:
            raise ValueError("val_share and test_share must leave rows to train on")
        return self

    @property
    def fields(self) -> list[str]:
        """The text columns' names inside examples and signatures."""
        return features.field_names(self.text)
