"""Slices of rows: parts of a test split on which a model is looked at by itself.

A model can be better overall and worse where it hurts: for one department, for the short titles,
for the part of the catalogue that is in another language.
"""

from __future__ import annotations

from collections.abc import Sequence

from prodcls_tf.data.languages import languages_of

# Characters from which on a text is of the next length. Not words: Chinese has no blanks.
_LENGTHS = (20, 40, 80, 160)


def slices_of(
    categories: Sequence[str], texts: Sequence[Sequence[str]], separator: str
) -> dict[str, list[str]]:
    """Says which slices rows are part of.

    Args:
      categories: their paths.
      texts: the text fields of each row.
      separator: what stands between the levels of a path.

    Returns:
      By kind of slice, which one each row is part of: its path's first level, the length and the
      language of all its texts together.

    Example:
      >>> slices_of(["Audio > Headphones"], [["wireless headset", ""]], " > ")
      {'category': ['Audio'], 'length': ['under 20 characters'], 'language': ['en']}
    """
    import pyarrow as pa

    whole = [" ".join(filter(None, row)) for row in texts]
    return {
        "category": [path.split(separator)[0] for path in categories],
        "length": [length_of(text) for text in whole],
        "language": languages_of(pa.array(whole, pa.string())),
    }


def length_of(text: str) -> str:
    """Returns the length of a text, roughly: each one goes up to twice the one before.

    Example:
      >>> length_of("usb c cable 2m, braided, black")
      '20 to 39 characters'
    """
    for shortest, end in zip((0, *_LENGTHS), _LENGTHS, strict=False):
        if len(text) < end:
            return f"{shortest} to {end - 1} characters" if shortest else f"under {end} characters"
    return f"{_LENGTHS[-1]} characters or more"
