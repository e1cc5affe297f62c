"""A tiny real BERT and a tiny shop, for tests that train within seconds."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
from transformers import BertConfig, TFBertForSequenceClassification

from prodcls_tf.settings import Settings

_CHARACTERS = string.ascii_lowercase + string.digits + "手机壳耳数据线"
_NOUNS = {
    "Phones > Cases": ["case", "cover", "sleeve"],
    "Phones > Cables": ["cable", "cord", "lead"],
    "Audio": ["headset", "speaker", "earbuds"],
}
_BRANDS = ["acme", "bolto", "cirra", "doven", "elmar"]


def write_tiny_encoder(folder: Path) -> Path:
    """Saves a random BERT of 2 layers and width 32 that spells words by characters."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = [*_CHARACTERS, *(f"##{c}" for c in _CHARACTERS)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    bert = TFBertForSequenceClassification(config)
    bert.build()
    bert.save_pretrained(folder, safe_serialization=True)
    return folder


def tiny_settings(encoder: Path, *overrides: str) -> Settings:
    """Settings for the tiny BERT: small tables, one epoch, float32."""
    return Settings.load(
        overrides=[
            f"encoder.name={encoder}",
            "encoder.max_length=32",
            "wide.buckets=4096",
            "training.epochs=1",
            "training.precision=float32",
            "training.learning_rate=1e-4",
            *overrides,
        ]
    )


# For tests of what the wide branch has no part in: without it, a third of a training is spared.
DEEP = "wide.enabled=false"

# Settings with which the tiny BERT learns nothing, and a search whose every trial learns much.
POOR = (
    "training.learning_rate=1.0e-9",
    "training.batch_size=16",
    "training.weight_average=0",
    "training.epochs=5",
    "encoder.freeze=none",
    "head.probe=false",
    "wide.enabled=false",
    "tuning.algorithm=random",
    "tuning.trials=1",
    "tuning.space.head={hidden: null, dropout: null}",
    "tuning.space.encoder={dropout: null, token_dropout: null, freeze: null, max_length: [16]}",
    (
        "tuning.space.training={epochs: [5, 6], batch_size: null, learning_rate: [0.01], "
        "warmup_share: null, schedule: null, weight_decay: null, label_smoothing: null, "
        "class_weight_exponent: null}"
    ),
)


def tiny_rows(count: int = 120, seed: int = 0) -> dict[str, list[str]]:
    """Titles with brands and numbers, and their categories; any classifier can learn them."""
    random = np.random.default_rng(seed)
    rows: dict[str, list[str]] = {"title": [], "category": []}
    for number in range(count):
        category = list(_NOUNS)[number % len(_NOUNS)]
        brand, noun = random.choice(_BRANDS), random.choice(_NOUNS[category])
        rows["title"].append(f"{brand} {noun} {random.integers(10, 999)}")
        rows["category"].append(category)
    return rows
