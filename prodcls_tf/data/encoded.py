"""Rows that are ready for training: token ids, raw texts and labels, all in memory.

A row of twelve tokens takes some 200 bytes here, so ten million rows need 2 GB; the hidden states
of the encoder, which are what really takes room, are never all in memory at once unless a setting
allows it (see `prodcls_tf.training.frozen`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from prodcls_tf import features
from prodcls_tf.errors import InputError
from prodcls_tf.progress import report
from prodcls_tf.text.tokenizer import TextToIds

_CHUNK = 2048


@dataclass(frozen=True)
class EncodedExamples:
    """Tokenized rows of one split.

    Attributes:
      input_ids: int32 ragged, [rows, (tokens)].
      token_type_ids: int32 ragged, of the same shape: 0 in the title's segment, 1 after it.
      texts: the raw text fields by name, each a string tensor [rows].
      labels: int32 [rows], the number of each row's category.
    """

    input_ids: tf.RaggedTensor
    token_type_ids: tf.RaggedTensor
    texts: Mapping[str, tf.Tensor]
    labels: np.ndarray

    def __len__(self) -> int:
        """Number of rows."""
        return int(self.input_ids.nrows())

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 [rows]."""
        return self.input_ids.row_lengths().numpy()

    def take(self, rows: np.ndarray) -> EncodedExamples:
        """Returns the rows with these indices, in this order."""
        return EncodedExamples(
            input_ids=tf.gather(self.input_ids, rows),
            token_type_ids=tf.gather(self.token_type_ids, rows),
            texts={name: tf.gather(texts, rows) for name, texts in self.texts.items()},
            labels=self.labels[rows],
        )

    @classmethod
    def from_texts(
        cls,
        texts: Mapping[str, Sequence[str]],
        labels: Sequence[int] | np.ndarray,
        text_to_ids: TextToIds,
    ) -> EncodedExamples:
        """Tokenizes raw texts.

        Args:
          texts: the text fields by name, each of the same number of rows.
          labels: the number of each row's category.
          text_to_ids: the graph that makes ids of text.

        Returns:
          The encoded rows, in order.
        """
        tensors = {name: tf.constant(list(column), tf.string) for name, column in texts.items()}
        return cls._of(tensors, np.asarray(labels, np.int32), text_to_ids)

    def encoded_by(self, text_to_ids: TextToIds) -> EncodedExamples:
        """Tokenizes the same texts anew, as another length or another vocabulary asks for."""
        return self._of(self.texts, self.labels, text_to_ids)

    @classmethod
    def _of(
        cls, texts: Mapping[str, tf.Tensor], labels: np.ndarray, text_to_ids: TextToIds
    ) -> EncodedExamples:
        total = len(labels)
        parts = []
        for start in range(0, max(total, 1), _CHUNK):
            chunk = [column[start : start + _CHUNK] for column in texts.values()]
            parts.append(text_to_ids(chunk))
            report("tokenizing", min(start + _CHUNK, total), total)
        return cls(
            input_ids=tf.concat([part[features.INPUT_IDS] for part in parts], axis=0),
            token_type_ids=tf.concat([part[features.TOKEN_TYPE_IDS] for part in parts], axis=0),
            texts=texts,
            labels=labels,
        )

    @classmethod
    def from_tfrecords(cls, patterns: Sequence[str], fields: Sequence[str]) -> EncodedExamples:
        """Reads the examples that the Transform step wrote.

        Args:
          patterns: file patterns of GZIP TFRecords of transformed examples.
          fields: names of the text fields in them.

        Returns:
          The rows with a known category, in file order. Rows whose category the training rows
          lack carry label -1 and are left out; intake has counted them.

        Raises:
          InputError: no file matches, or no row is left.
        """
        files = sorted(name for pattern in patterns for name in tf.io.gfile.glob(pattern))
        if not files:
            raise InputError(
                f"Transformed examples must exist. Received the patterns {list(patterns)}, which "
                "match no file. Run the pipeline again."
            )
        ragged = tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)
        spec: dict[str, object] = {
            features.INPUT_IDS: ragged,
            features.TOKEN_TYPE_IDS: ragged,
            features.LABEL: tf.io.FixedLenFeature([], tf.int64),
            **{name: tf.io.FixedLenFeature([], tf.string) for name in fields},
        }
        dataset = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_CHUNK)
        parts = list(dataset.map(lambda records: tf.io.parse_example(records, spec)))
        if not parts:
            raise InputError(f"Transformed examples must hold rows. Received none in {files}.")
        joined = {name: tf.concat([part[name] for part in parts], axis=0) for name in spec}
        examples = cls(
            input_ids=tf.cast(joined[features.INPUT_IDS], tf.int32),
            token_type_ids=tf.cast(joined[features.TOKEN_TYPE_IDS], tf.int32),
            texts={name: joined[name] for name in fields},
            labels=joined[features.LABEL].numpy().astype(np.int32),
        )
        return examples.take(np.flatnonzero(examples.labels >= 0))
