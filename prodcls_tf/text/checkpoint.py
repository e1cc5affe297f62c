"""What the tokenizer needs from a checkpoint's folder: the vocabulary and the normalization."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prodcls_tf.errors import EncoderError

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


@dataclasses.dataclass(frozen=True)
class TokenizerOptions:
    """How a checkpoint's tokenizer normalizes text, under the names of its configuration.

    Args:
      lower_case: `do_lower_case`, whether letters are lower-cased.
      strip_accents: whether accents are removed. None: as `lower_case`, like Hugging Face.
      split_chinese: `tokenize_chinese_chars`, whether each ideograph is a word.

    Example:
      >>> TokenizerOptions(lower_case=False).strips_accents
      False
    """

    lower_case: bool = True
    strip_accents: bool | None = None
    split_chinese: bool = True

    @property
    def strips_accents(self) -> bool:
        """`strip_accents` with None resolved."""
        return self.lower_case if self.strip_accents is None else self.strip_accents

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str]) -> TokenizerOptions:
        """Reads the options of a checkpoint.

        Each option comes from `tokenizer_config.json`; if that does not name it, from the
        normalizer in `tokenizer.json`; else it is BERT's default.

        Args:
          folder: the checkpoint's folder; neither file has to exist.

        Returns:
          The options.

        Raises:
          EncoderError: a file is not JSON, or an option is not true, false or (accents) null.

        Example:
          >>> TokenizerOptions.from_folder("a folder without these files")
          TokenizerOptions(lower_case=True, strip_accents=None, split_chinese=True)
        """
        config = _read_json(Path(folder) / "tokenizer_config.json")
        normalizer = _read_json(Path(folder) / "tokenizer.json").get("normalizer") or {}
        if normalizer.get("type") != "BertNormalizer":
            normalizer = {}

        def option(name: str, inner_name: str, default: bool | None) -> Any:
            value = config.get(name, normalizer.get(inner_name, default))
            if not isinstance(value, bool) and not (value is None and default is None):
                raise EncoderError(
                    f"The option {name} of a tokenizer must be true or false. Received: "
                    f"{value!r} in {folder}. Mend tokenizer_config.json, or download it again."
                )
            return value

        return cls(
            lower_case=option("do_lower_case", "lowercase", True),
            strip_accents=option("strip_accents", "strip_accents", None),
            split_chinese=option("tokenize_chinese_chars", "handle_chinese_chars", True),
        )


def read_vocabulary(folder: str | os.PathLike[str]) -> list[str]:
    """Reads the word pieces of a checkpoint from its `vocab.txt`.

    Args:
      folder: the checkpoint's folder.

    Returns:
      The pieces; a piece's place in the list is its id.

    Raises:
      EncoderError: the file is missing, not UTF-8, empty, or lacks a special token.

    Example:
      >>> read_vocabulary("checkpoints/bert-base-uncased")[0]  # doctest: +SKIP
      '[PAD]'
    """
    path = Path(folder) / "vocab.txt"
    try:
        # Not splitlines(): pieces may be characters that it takes for line ends, like U+0085.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EncoderError(
            f"A BERT checkpoint needs a vocabulary in UTF-8, one piece a line, at {path}. "
            f"Received: {error}. Write it with transformers.AutoTokenizer.from_pretrained(NAME)"
            f".save_vocabulary({str(folder)!r}), or download the whole checkpoint."
        ) from error
    if lines[-1] == "":
        lines.pop()
    check_vocabulary(lines, str(path))
    return lines


def check_vocabulary(vocabulary: Sequence[str], source: str) -> None:
    """Refuses a vocabulary that BERT's inputs cannot be made with.

    Args:
      vocabulary: the word pieces.
      source: where they come from, for the message.

    Raises:
      EncoderError: a special token is missing.

    Example:
      >>> check_vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "usb"], "vocab.txt")
    """
    missing = sorted(set(_SPECIAL) - set(vocabulary))
    if missing:
        raise EncoderError(
            f"A BERT vocabulary must hold {', '.join(_SPECIAL)}. Received: {source} with "
            f"{len(vocabulary)} pieces and without {', '.join(missing)}. Use the vocab.txt that "
            "belongs to the checkpoint."
        )


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"{path} must be a JSON file. Received: {error}. Download the checkpoint again."
        ) from error
    if not isinstance(content, dict):
        raise EncoderError(
            f"{path} must hold a JSON object. Received: {type(content).__name__}. "
            "Download the checkpoint again."
        )
    return content
