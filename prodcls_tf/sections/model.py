"""What the model is made of."""

from __future__ import annotations

from typing import Annotated, Literal, Union

from pydantic import Field

from prodcls_tf.sections.section import Count, Section, Share

NGramRange = tuple[Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]]


class EncoderSettings(Section):
    """Which BERT, how much of its input and how much of it is trained."""

    name: str = Field(
        "bundled", description="`bundled`, a local folder, or a name on the Hugging Face hub"
    )
    max_length: int = Field(128, ge=4, le=512, description="tokens kept of a row")
    pooling: Literal["mean", "first", "pooler"] = Field(
        "mean", description="how token states become one vector"
    )
    dropout: Share = Field(0.1, description="dropout inside the encoder while it is trained")
    token_dropout: Share = Field(0.1, description="share of tokens hidden while it is trained")
    freeze: Union[Literal["none", "embeddings", "half", "all"], Count] = Field(
        "half", description="`none`, `embeddings`, a number of lowest layers, `half`, or `all`"
    )


class HeadSettings(Section):
    """What stands on the encoder."""

    hidden: int = Field(0, ge=0, description="width of an MLP before the last layer; 0 for none")
    dropout: Share = Field(0.1, description="dropout before the last layer")
    probe: bool = Field(True, description="start from a linear probe")


class WideSettings(Section):
    """The branch of n-grams beside BERT."""

    enabled: bool = Field(True, description="whether there is one")
    buckets: int = Field(2**18, ge=16, le=2**24, description="n-grams are hashed into these")
    word_ngrams: NGramRange = Field((1, 2), description="shortest and longest run of words")
    char_ngrams: NGramRange = Field((2, 5), description="shortest and longest piece of a word")
    rank: int = Field(
        256, ge=0, description="more categories than this share a table of this rank; 0 for never"
    )
    strength: float = Field(3.0, gt=0.0, description="C of its linear SVM; less is smoother")
