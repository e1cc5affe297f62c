"""Canaries: rows whose answers the trained model itself gave, to be asked again of what serves it.

The Trainer records them from the Keras model, before TensorFlow has written anything. Who asks a
server the same and gets the same has proved the whole way: the export, the files, the tokenizer
in the graph, the server, the protocol.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pydantic
import tensorflow as tf

from prodcls_tf.data.encoded import EncodedExamples
from prodcls_tf.model.product_model import ProductModel

# Beside the SavedModel and not in it: the rows of a shop are not part of what is pushed.
CANARIES_FILE = "canaries.json"

_ROWS = 32
# Both sides compute in float32; a GPU may multiply in TF32, which keeps three digits.
_TOLERANCE, _TOLERANCE_GPU = 1e-4, 2e-3

# Texts that have broken tokenizers, protocols and servers before.
_HOSTILE = {
    "the empty text": b"",
    "blanks": "  \t\u00a0\u3000\n".encode(),
    "emoji": "👩‍👩‍👧‍👦 🧴 USB-C 🔌 2 m".encode(),
    "a NUL": b"usb\x00cable",
    "right-to-left text": "\u202eכבל USB\u202c 2 מטר سماعة".encode(),
    "invalid UTF-8": b"caf\xe9 \xff\xfe cable \xf0\x9f",
    "100 kB of text": b"usb-c cable 2m " * 7_000,
}


class CanaryRow(pydantic.BaseModel):
    """A row, and what the trained model said of it.

    Attributes:
      name: what it is, for messages.
      texts: its text fields, which need not be valid UTF-8.
      answer: the best categories with their scores, best first.
    """

    name: str
    texts: list[bytes]
    answer: list[tuple[str, float]]

    @pydantic.field_serializer("texts", when_used="json")
    def _as_base64(self, texts: list[bytes]) -> list[str]:
        return [base64.b64encode(text).decode("ascii") for text in texts]

    @pydantic.field_validator("texts", mode="before")
    @classmethod
    def _of_base64(cls, texts: Sequence[str | bytes]) -> list[bytes]:
        return [base64.b64decode(t) if isinstance(t, str) else t for t in texts]

    def disagreement(self, answer: Sequence[tuple[str, float]], tolerance: float) -> str:
        """Says in what another answer differs.

        Two categories of nearly equal score may change places, and at the end of the list one may
        take the place of the other.

        Args:
          answer: to the same row.
          tolerance: how far scores may differ.

        Returns:
          The difference in words, empty where there is none.
        """
        if len(answer) != len(self.answer):
            return f"{len(answer)} categories instead of {len(self.answer)}"
        recorded, last = dict(self.answer), self.answer[-1][1]
        for path, score in answer:
            wanted = recorded.get(path, last)
            # Not `>`: no comparison holds for NaN.
            if not abs(score - wanted) <= tolerance:
                told = f"{recorded[path]:.6f}" if path in recorded else f"at most {last:.6f}"
                return f"{path!r} with a score of {score:.6f} instead of {told}"
        return ""


class Canaries(pydantic.BaseModel):
    """What the Trainer recorded.

    Attributes:
      fields: names of the text fields, in the order of a canary's texts.
      tolerance: how far scores may differ from the recorded ones.
      rows: the canaries; those from test rows come first.
    """

    fields: list[str]
    tolerance: float
    rows: list[CanaryRow]

    @classmethod
    def record(
        cls, model: ProductModel, categories: Sequence[str], rows: EncodedExamples, top_k: int
    ) -> Canaries:
        """Asks the trained model about some test rows, and about hostile texts.

        Args:
          model: the trained model.
          categories: its paths by number.
          rows: of the test split.
          top_k: categories in an answer, at most.

        Returns:
          The canaries.
        """
        named = dict(_chosen(rows))
        # A hostile text is hostile in each field.
        named.update({name: [text] * len(rows.texts) for name, text in _HOSTILE.items()})
        columns = [tf.constant(list(column)) for column in zip(*named.values(), strict=True)]
        scores = tf.nn.softmax(model(columns)).numpy()
        best = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        return cls(
            fields=list(rows.texts),
            tolerance=_TOLERANCE_GPU if tf.config.list_physical_devices("GPU") else _TOLERANCE,
            rows=[
                CanaryRow(
                    name=name,
                    texts=texts,
                    answer=[(categories[n], float(row[n])) for n in order],
                )
                for (name, texts), row, order in zip(named.items(), scores, best, strict=True)
            ],
        )

    @classmethod
    def read(cls, folder: Path) -> Canaries:
        """Reads what `write` left.

        Raises:
          OSError, ValueError: it is not there, or damaged.
        """
        return cls.model_validate_json((folder / CANARIES_FILE).read_text(encoding="utf-8"))

    def write(self, folder: Path) -> None:
        """Writes them into a folder."""
        (folder / CANARIES_FILE).write_text(self.model_dump_json(indent=1), encoding="utf-8")


def _chosen(rows: EncodedExamples) -> Iterator[tuple[str, list[bytes]]]:
    """Test rows from all over the split."""
    for row in np.unique(np.linspace(0, len(rows) - 1, _ROWS, dtype=int)):
        yield f"test row {row + 1}", [texts[row].numpy() for texts in rows.texts.values()]
