"""Category paths as people type them, made comparable."""

from __future__ import annotations

import functools
import re
import unicodedata

# What spreadsheets and data frames write into a label column where there is no label.
MISSING = frozenset({"nan", "NaN", "null", "None", "N/A"})

_ZERO_WIDTH = re.compile("[\u200b\u2060\ufeff]")


@functools.lru_cache(maxsize=1 << 12)
def clean_category(text: str, separator: str) -> tuple[str, bool]:
    r"""Makes one path of a label cell: levels trimmed, blanks and Unicode composed, gaps closed.

    Where the separator has blanks around it, any blanks there will do (`A\u00a0>  B` for ` > `),
    but some must be: `A>B` is one level. Case is kept: `TV` and `Tv` are two categories. Remembers
    the last cells: a shop has far fewer categories than products.

    Args:
      text: the cell.
      separator: what stands between two levels, `data.separator`.

    Returns:
      The path joined by `separator`, '' where there is no label; and whether empty levels, as in
      `A >  > B` or `A >`, were taken out of it.

    Example:
      >>> clean_category(" Audio  >  Head  phones > ", " > ")
      ('Audio > Head phones', True)
    """
    text = text.strip()
    if not text or text in MISSING:
        return "", False
    text = unicodedata.normalize("NFC", _ZERO_WIDTH.sub("", text))
    # A blank at both ends, so that a separator there is seen as one.
    levels = [" ".join(level.split()) for level in _pattern(separator).split(f" {text} ")]
    kept = [level for level in levels if level]
    return separator.join(kept), bool(kept) and len(kept) < len(levels)


@functools.lru_cache(maxsize=8)
def _pattern(separator: str) -> re.Pattern[str]:
    visible = separator.strip()
    if not visible:
        return re.compile(re.escape(separator))
    before = r"\s+" if separator[0].isspace() else ""
    after = r"(?=\s)" if separator[-1].isspace() else ""
    return re.compile(before + re.escape(visible) + after)
