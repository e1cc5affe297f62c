r"""Takes out of texts what an export left in them and no buyer reads.

In this order, the first two up to three times over (`&amp;lt;b&amp;gt;` is a tag, too):

1. Entities with their semicolon (`&amp;`, `&#39;`, `&nbsp;`) become what they stand for.
2. HTML tags go: `<br>`, `<p>` and the like become a blank, `<b>` and the like nothing, comments and
   the content of `<script>` and `<style>` nothing. Only what HTML knows by name, with attributes as
   HTML writes them, is a tag: `5 < 6 mm`, `<3` and `<XL>` stay.
3. Unicode in composed form (NFC). Not NFKC: it would make 5² into 52 and ½ into 1⁄2.
4. Control characters that are no blanks go, and so do characters without width that only a layout
   needs (soft hyphen, zero-width space, word joiner, byte-order mark).
5. Every run of blanks, line ends among them, becomes one space, none at the ends.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable

_ROUNDS = 3

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")

_INLINE = (
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|label|mark|nobr|q|s|samp|"
    "small|span|strike|strong|sub|sup|tt|u|var|wbr"
)
_BLOCK = (
    "address|article|aside|blockquote|body|br|button|caption|center|col|colgroup|dd|details|div|dl|"
    "dt|figcaption|figure|footer|form|h[1-6]|head|header|hr|html|iframe|img|input|li|link|main|"
    "meta|nav|object|ol|option|p|param|picture|pre|script|section|select|source|style|summary|"
    "svg|table|tbody|td|textarea|tfoot|th|thead|title|tr|ul|video"
)
_ATTRIBUTES = r"""(?:\s+[\w:.-]{1,64}\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+)){0,32}\s*/?"""
_UNSEEN = re.compile(
    r"<!--(?:(?!<!--).)*?-->|<(script|style)\b[^<>]*>(?:(?!<\1\b).)*?</\1\s*>",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(rf"<(?:/\s*)?(?:({_BLOCK})|{_INLINE}){_ATTRIBUTES}>", re.IGNORECASE)

_NEEDLESS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff]+")


def clean(text: str) -> str:
    r"""Returns a text as the module says.

    Example:
      >>> clean("Tom &amp; Jerry<br/>mug,  <b>5 &lt; 6</b> cm\r\n")
      'Tom & Jerry mug, 5 < 6 cm'
    """
    for _ in range(_ROUNDS):
        before = text
        if "&" in text:
            text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
        if "<" in text:
            text = _TAG.sub(lambda match: " " if match[1] else "", _UNSEEN.sub(" ", text))
        if text == before:
            break
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = _NEEDLESS.sub("", text)
    return " ".join(text.split())


def clean_fields(fields: Iterable[str], enabled: bool) -> tuple[str, ...]:
    """Cleans the text fields of a row, if that is `enabled` (`data.clean`)."""
    return tuple(map(clean, fields)) if enabled else tuple(fields)
