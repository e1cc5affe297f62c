"""Text to hashed word and character n-grams, the inputs of a wide branch beside BERT.

Product titles carry much in exact words, model numbers and pieces of words that word pieces blur
(wide and deep learning: Cheng et al. 2016, section 3.1). Everything is arithmetic on code points,
so 20,000 titles take well under a second and every process finds the same buckets.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow_text as tf_text

from prodcls_tf.errors import SettingsError
from prodcls_tf.text import folding
from prodcls_tf.text.fields import text_fields
from prodcls_tf.text.hashing import mix, to_bucket, windows

# Keeps the hashes of words and of characters apart.
_CHARACTERS, _WORDS = 1, 2


class HashedNGrams(tf.Module):
    """Bucket numbers of all word and character n-grams of a row's fields.

    Folding: NFKC and case folding, European accents, Hebrew points and Arabic vowel signs off,
    dashes and quotes to their ASCII forms. Invalid UTF-8 and control characters vanish.

    Words are parted by white space and by punctuation and symbols, except that `- . ' &` between
    two word characters and `, : /` between two digits stay inside (`kx-2140b`, `r&b`, `1/2`,
    `16:9`), and one of `" % + #` stays at the end (`13.3"` after a digit, `c+`, `100%`).

    Character n-grams keep punctuation and lie inside white-space words padded by one blank on
    both sides (the `char_wb` of scikit-learn); with `across_words`, inside the whole field with
    runs of white space made one blank and the field padded likewise. They carry text without
    blanks, like Chinese. A text shorter than n has no n-gram of that size.

    No n-gram crosses a field or a row. Of each field the first 16,384 bytes count.

    Args:
      buckets: number of buckets, 1 to 2**31.
      word_ngrams: smallest and largest n for words; (0, 0) for none.
      char_ngrams: smallest and largest n for characters; (0, 0) for none.
      across_words: whether character n-grams span blanks.

    Raises:
      SettingsError: an argument is out of its range.

    Example:
      >>> HashedNGrams(buckets=1000)([tf.constant(["usb", ""])]).row_lengths().numpy().tolist()
      [11, 0]
    """

    def __init__(
        self,
        buckets: int = 2**18,
        word_ngrams: tuple[int, int] = (1, 2),
        char_ngrams: tuple[int, int] = (2, 5),
        across_words: bool = False,
    ) -> None:
        """Checks the settings; see the class."""
        super().__init__(name="hashed_ngrams")
        if not 1 <= buckets <= 2**31:
            raise SettingsError(
                f"The number of buckets must be from 1 to 2**31. Received: {buckets}. "
                "2**18 suits most catalogues."
            )
        for name, (low, high) in (("word_ngrams", word_ngrams), ("char_ngrams", char_ngrams)):
            if not (1 <= low <= high or low == high == 0):
                raise SettingsError(
                    f"{name} is the smallest and the largest n, at least 1, or (0, 0) for none. "
                    f"Received: {(low, high)}. Write for example (1, 2)."
                )
        self.buckets = buckets
        self.word_ngrams = word_ngrams
        self.char_ngrams = char_ngrams
        self.across_words = across_words

    def __call__(self, fields: Sequence[tf.Tensor]) -> tf.RaggedTensor:
        """Makes the bucket numbers of a batch.

        Args:
          fields: string tensors of shape [batch], at least one.

        Returns:
          int32 [batch, (features)], each from 0 to `buckets` - 1; an n-gram that occurs twice is
          there twice. Within a row the order is fixed but has no meaning.

        Raises:
          InputError: there is no field, or one is not of shape [batch].
        """
        # Each field is a text of its own until the end, so that nothing can cross its ends.
        texts = tf.reshape(tf.stack(text_fields(fields), axis=1), [-1])
        cut = _graph(self.buckets, self.word_ngrams, self.char_ngrams, self.across_words)
        values, row_splits = cut(texts)
        return tf.RaggedTensor.from_row_splits(values, row_splits[:: len(fields)], validate=False)


# Tracing takes a second: each training, data set and export of a process shares one graph.
@functools.lru_cache(maxsize=16)
def _graph(
    buckets: int,
    word_ngrams: tuple[int, int],
    char_ngrams: tuple[int, int],
    across_words: bool,
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Takes texts, string [count]; gives their bucket numbers and int64 [count + 1] row splits."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def cut(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        codes, classes, owners = _fold(texts, across_words)
        count = tf.size(texts, out_type=tf.int64)
        parts = []
        if char_ngrams[1]:
            parts += _char_ngrams(codes, classes, owners, char_ngrams, across_words)
        if word_ngrams[1]:
            parts += _word_ngrams(codes, classes, owners, word_ngrams)
        rows = [
            tf.RaggedTensor.from_value_rowids(hashes, text, nrows=count, validate=False)
            for hashes, text in parts
        ]
        if not rows:
            return tf.zeros([0], tf.int32), tf.zeros([count + 1], tf.int64)
        features = tf.concat(rows, axis=1)
        return to_bucket(features.values, buckets), features.row_splits

    return cut


def _fold(texts: tf.Tensor, collapse: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Folded code points, their classes and the text of each, texts one after another.

    Every text begins and ends with a blank. With `collapse` no two blanks follow each other
    within a text.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    texts = tf.strings.join([" ", tf_text.case_fold_utf8(texts), " "])
    decoded = tf.strings.unicode_decode(texts, "UTF-8")
    codes, owners = decoded.values, decoded.value_rowids()
    code_table, class_table = folding.fold_table()
    listed = codes < folding.TABLE_SIZE
    place = tf.where(listed, codes, 0)
    first, last = folding.EMOJI
    unlisted = tf.where((codes >= first) & (codes < last), folding.OTHER, folding.WORD)
    classes = tf.where(listed, tf.gather(class_table, place), unlisted)
    codes = tf.where(listed, tf.gather(code_table, place), codes)
    kept = tf.where(classes != folding.DROPPED)[:, 0]
    codes, classes, owners = (tf.gather(x, kept) for x in (codes, classes, owners))
    if collapse:
        blank = classes == folding.BLANK
        repeated = blank[1:] & blank[:-1] & (owners[1:] == owners[:-1])
        kept = tf.where(tf.concat([tf.ones_like(blank[:1]), ~repeated], axis=0))[:, 0]
        codes, classes, owners = (tf.gather(x, kept) for x in (codes, classes, owners))
    return codes, classes, owners


def _char_ngrams(
    codes: tf.Tensor,
    classes: tf.Tensor,
    owners: tf.Tensor,
    sizes: tuple[int, int],
    across_words: bool,
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Hashes of the character n-grams and the text of each, one pair for each n."""
    blank = classes == folding.BLANK
    blanks_up_to = tf.cumsum(tf.cast(blank, tf.int32))

    def valid(n: int, count: tf.Tensor) -> tf.Tensor:
        if n == 1:
            return ~blank
        if n == 2 and not across_words:
            return ~(blank[:count] & blank[1:])
        if across_words:
            return owners[:count] == owners[n - 1 :]
        # Blanks may only be the window's ends. Texts meet in two blanks, so none is crossed.
        return blanks_up_to[:count] == blanks_up_to[n - 2 : n - 2 + count]

    return windows(tf.cast(codes, tf.uint64), owners, sizes, _CHARACTERS, valid)


def _word_ngrams(
    codes: tf.Tensor, classes: tf.Tensor, owners: tf.Tensor, sizes: tuple[int, int]
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Hashes of the word n-grams and the text of each, one pair for each n."""
    inside, starts = _word_places(classes)
    first = tf.where(starts)[:, 0]
    place = tf.where(inside)[:, 0]
    word = tf.gather(tf.cumsum(tf.cast(starts, tf.int32)) - 1, place)
    # A word is the sum over its (position, character) pairs, each a random number of its own.
    position = place - tf.gather(first, word)
    pairs = position * 2**32 + tf.cast(tf.gather(codes, place), tf.int64)
    words = tf.math.segment_sum(mix(tf.cast(pairs, tf.uint64)), word)
    owners = tf.gather(owners, first)

    def valid(n: int, count: tf.Tensor) -> tf.Tensor:
        return owners[:count] == owners[n - 1 :]

    return windows(words, owners, sizes, _WORDS, valid)


def _word_places(classes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Which positions lie in a word, and which of them begin one."""
    no = tf.zeros_like(classes[:1], tf.bool)

    def before(flags: tf.Tensor) -> tf.Tensor:
        return tf.concat([no, flags[:-1]], axis=0)

    def between(flags: tf.Tensor) -> tf.Tensor:
        return before(flags) & tf.concat([flags[1:], no], axis=0)

    digit = classes == folding.DIGIT
    letter = digit | (classes == folding.WORD)
    unit = ((classes == folding.UNIT) & before(letter)) | (
        (classes == folding.INCH) & before(digit)
    )
    joined = ((classes == folding.JOINER) & between(letter)) | (
        (classes == folding.DIGIT_JOINER) & between(digit)
    )
    inside = letter | joined | unit
    return inside, inside & ~before(inside & ~unit)
