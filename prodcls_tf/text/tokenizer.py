"""Text to BERT's ids as one TensorFlow graph, equal to the checkpoint's Hugging Face tokenizer.

The same graph runs in the Transform step, in training and in the served model, so there is no
second tokenizer that could disagree. The reference is `BertTokenizerFast` called with
`split_special_tokens=True`: a literal `[SEP]` in a title is three words, never the special token.

Where the two still differ: 67 capital letters that came with Unicode 14 to 16 (Vithkuqi, Garay, a
few Latin, Cyrillic and Glagolitic ones) stay capital here; and with accents stripped, marks newer
than Unicode 8 piled on one letter with marks that are not stripped may come in another order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

# The public class builds the same model, but only as a tensor of the moment; the bytes can be put
# as a constant into every graph that calls the module, so no graph depends on another's tensor.
from tensorflow_text.core.pybinds import (
    pywrap_fast_wordpiece_tokenizer_model_builder as model_builder,
)

from prodcls_tf.errors import SettingsError
from prodcls_tf.features import INPUT_IDS, TOKEN_TYPE_IDS
from prodcls_tf.text import unicode_classes
from prodcls_tf.text.checkpoint import TokenizerOptions, check_vocabulary, read_vocabulary
from prodcls_tf.text.fields import text_fields

__all__ = ["TextToIds", "TokenizerOptions", "read_vocabulary"]

# A word of more characters is unknown as a whole, in every BERT. The WordPiece op counts bytes
# instead, so it gets room for the longest such word and the characters are counted here.
_MAX_CHARACTERS = 100
_MAX_BYTES = 4 * _MAX_CHARACTERS

_UNCASED = TokenizerOptions()

# `tf.strings.lower` follows the language of the machine (a Turkish one turns I into a dotless i, a
# Lithuanian one adds dots) and the place in the word (final sigma); Hugging Face does neither.
_LOWER = {"I": "i", "Σ": "σ"}
_LOWER_ACCENTED = {
    "İ": "i\u0307",
    "J": "j",
    "Ì": "ì",
    "Í": "í",
    "Ĩ": "ĩ",
    "Į": "į",
}


class TextToIds(tf.Module):
    """Text fields to `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]`.

    The first field is segment A; all others, joined by a blank, are segment B. Made of TensorFlow
    and TensorFlow Text ops only, with the vocabulary inside the graph: it works in a
    `preprocessing_fn`, in `tf.data` and in an exported SavedModel.

    Invalid UTF-8 is read as by Python's `errors="replace"`; as Hugging Face deletes U+FFFD, such
    bytes simply vanish, and so do control characters. Of each text the first 16,384 bytes count.

    Args:
      vocabulary: the word pieces, in the order of their ids.
      options: normalization of the checkpoint.
      max_length: most ids of a row, special tokens counted. At least 3.

    Raises:
      EncoderError: the vocabulary lacks a special token.
      SettingsError: `max_length` is too small.

    Example:
      >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "usb", "cable", "##s"]
      >>> to_ids = TextToIds(words, max_length=8)
      >>> to_ids([tf.constant(["USB cables"]), tf.constant(["cable"])])["input_ids"].to_list()
      [[2, 4, 5, 6, 3, 5, 3]]
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        options: TokenizerOptions = _UNCASED,
        max_length: int = 128,
    ) -> None:
        """Builds the word-piece model; see the class."""
        super().__init__(name="text_to_ids")
        if max_length < 3:
            raise SettingsError(
                "max_length must leave room for [CLS], one word and [SEP], so it is at least 3. "
                f"Received: {max_length}. Give a larger max_length."
            )
        check_vocabulary(vocabulary, "the given vocabulary")
        self.options = options
        self.max_length = max_length
        self._model = np.frombuffer(
            model_builder.build_fast_wordpiece_model(
                _buildable(vocabulary), _MAX_BYTES, "##", "[UNK]", True, False
            ),
            np.uint8,
        )
        last = {word: index for index, word in enumerate(vocabulary)}
        self._cls, self._sep = last["[CLS]"], last["[SEP]"]

    def __call__(self, fields: Sequence[tf.Tensor]) -> dict[str, tf.RaggedTensor]:
        """Makes the ids of a batch.

        An over-long row loses the end of B first, down to nothing (its `[SEP]` goes too), then
        the end of A. A row whose B has no word is `[CLS] A [SEP]`.

        Args:
          fields: string tensors of shape [batch], at least one.

        Returns:
          `input_ids` and `token_type_ids`, int32 [batch, (length)], length <= `max_length`.

        Raises:
          InputError: there is no field, or one is not of shape [batch].
        """
        first, *others = text_fields(fields)
        if not others:
            pieces_a = self._pieces(first)
            pieces_b = pieces_a[:, :0]
        else:
            # One pass over both segments: each op of the chain is started once.
            second = tf.strings.join(others, separator=" ")
            pieces = self._pieces(tf.concat([first, second], axis=0))
            pieces_a, pieces_b = _halves(pieces, tf.size(first))
        return self._assemble(pieces_a, pieces_b)

    def _pieces(self, texts: tf.Tensor) -> tf.RaggedTensor:
        words = tf.strings.split(self._normalize(texts))
        characters = tf.strings.length(words.values, unit="UTF8_CHAR")
        # Brackets are words of their own, so no text brings the word "[UNK]" by itself.
        known = tf.where(characters <= _MAX_CHARACTERS, words.values, "[UNK]")
        tokenizer = tf_text.FastWordpieceTokenizer(
            model_buffer=tf.constant(self._model), token_out_type=tf.int32
        )
        return words.with_values(tokenizer.tokenize(known)).merge_dims(1, 2)

    def _normalize(self, texts: tf.Tensor) -> tf.Tensor:
        """Words separated by blanks; the steps and their order are those of Hugging Face."""
        replace = tf.strings.regex_replace
        classes = unicode_classes
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        texts = replace(texts, classes.regex_class(classes.DROPPED), "")
        texts = replace(texts, classes.regex_class(classes.BLANKS), " ")
        if self.options.split_chinese:
            texts = replace(texts, classes.regex_class(classes.CHINESE), r" \0 ")
        if self.options.strips_accents:
            texts = tf_text.normalize_utf8(texts, "NFD")
            texts = replace(texts, classes.regex_class(classes.MARKS), "")
        if self.options.lower_case:
            letters = _LOWER if self.options.strips_accents else {**_LOWER, **_LOWER_ACCENTED}
            for upper, lower in letters.items():
                texts = replace(texts, upper, lower)
            texts = tf.strings.lower(texts, encoding="utf-8")
        return replace(texts, classes.regex_class(classes.PUNCTUATION), r" \0 ")

    def _assemble(self, a: tf.RaggedTensor, b: tf.RaggedTensor) -> dict[str, tf.RaggedTensor]:
        # By arithmetic on places: a ragged `concat` is many ops, and each trace pays for them.
        a_lengths = a.row_lengths()
        room = tf.maximum(self.max_length - 3 - a_lengths, 0)
        b_lengths = tf.minimum(b.row_lengths(), room)
        paired = tf.cast(b_lengths > 0, b_lengths.dtype)
        # Without B there is one [SEP] less, so A may be one piece longer.
        a_lengths = tf.minimum(a_lengths, self.max_length - 2 - paired)
        lengths = a_lengths + b_lengths + 2 + paired
        splits = tf.pad(tf.cumsum(lengths), [[1, 0]])
        places = tf.range(splits[-1])
        row = tf.searchsorted(splits, places, side="right", out_type=tf.int64) - 1
        place = places - tf.gather(splits, row)
        first_sep, last = tf.gather(a_lengths, row) + 1, tf.gather(lengths, row) - 1
        in_b = place > first_sep
        from_a = tf.gather(a.row_starts(), row) + place - 1
        from_b = tf.gather(b.row_starts(), row) + place - first_sep - 1
        # [CLS] and [SEP] lie before the pieces of both, so that each id is one look-up.
        source = tf.where(in_b, from_b + tf.size(a.values, tf.int64), from_a) + 2
        source = tf.where((place == first_sep) | (place == last), tf.ones_like(source), source)
        source = tf.where(place == 0, tf.zeros_like(source), source)
        pieces = tf.concat([[self._cls, self._sep], a.values, b.values], axis=0)
        return {
            name: tf.RaggedTensor.from_row_splits(values, splits, validate=False)
            for name, values in (
                (INPUT_IDS, tf.gather(pieces, source)),
                (TOKEN_TYPE_IDS, tf.cast(in_b, tf.int32)),
            )
        }


def _buildable(vocabulary: Sequence[str]) -> list[str]:
    """Makes unmatchable what the builder refuses, keeping every other piece's id.

    It wants each piece once, where Hugging Face takes the last of equal ones, and no zero byte,
    which no cleaned text holds.
    """
    last = {word: index for index, word in enumerate(vocabulary)}
    return [
        word if last[word] == index and "\0" not in word else f" unused {index}"
        for index, word in enumerate(vocabulary)
    ]


def _halves(rows: tf.RaggedTensor, count: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """The first `count` rows, and the others."""
    splits = rows.row_splits
    cut = splits[count]
    return (
        tf.RaggedTensor.from_row_splits(rows.values[:cut], splits[: count + 1], validate=False),
        tf.RaggedTensor.from_row_splits(rows.values[cut:], splits[count:] - cut, validate=False),
    )
