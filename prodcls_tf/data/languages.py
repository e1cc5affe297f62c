"""Which language a text is in, where that can be told.

Titles are short and full of names, and a detector that must answer takes English ones for Danish
or Latin. Only what CLD2 (https://github.com/CLD2Owners/cld2) is sure of counts; of any other text
its script is known, by which a language that nobody can tell still shows in the figures.
"""

from __future__ import annotations

from typing import Any

from prodcls_tf.data.scripts import NO_LETTERS, scripts_of

# Bytes that are looked at: a language does not change within a description.
_LOOKED_AT = 1024

# Codes that have been others since CLD2 was made.
_NOW = {"iw": "he", "jw": "jv"}
# CLD2's names for what is no language: a script, a joke, or not to be counted.
_NO_LANGUAGE = ("X_", "Ignore", "Unknown")


def languages_of(texts: Any) -> list[str]:
    """Says in which language each text is.

    Args:
      texts: a pyarrow array of strings.

    Returns:
      For each its language as BCP 47 has it (`en`, `zh-Hant`) or, where CLD2 is not sure,
      `unclear (SCRIPT)`; `no letters` for a text without any.

    Example:
      >>> import pyarrow as pa
      >>> languages_of(pa.array(["Kabellose Maus mit Empfänger", "手机壳", "XZ-7 Pro", "13.3 / 5"]))
      ['de', 'zh', 'unclear (Latin)', 'no letters']
    """
    scripts = scripts_of(texts)
    return [
        script if script == NO_LETTERS else _language(text) or f"unclear ({script})"
        for text, script in zip(texts.to_pylist(), scripts, strict=True)
    ]


def _language(text: str) -> str:
    import pycld2

    start = text.encode()[:_LOOKED_AT].decode(errors="ignore")
    try:
        sure, _, found = pycld2.detect(start, isPlainText=True)
    except pycld2.error:
        # It refuses control characters and the like, which cleaning takes out.
        return ""
    name, code, *_ = found[0]
    return _NOW.get(code, code) if sure and not name.startswith(_NO_LANGUAGE) else ""
