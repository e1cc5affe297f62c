"""A killed training goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from prodcls_tf import ProductClassifier
from prodcls_tf.errors import OutputError, TrainingError
from prodcls_tf.settings import Settings
from prodcls_tf.training.summaries import write_summaries
from tests.tiny import DEEP, tiny_rows, tiny_settings

EPOCHS = 4

TRAINING = """
import sys
from prodcls_tf import ProductClassifier
from prodcls_tf.progress import listening
from tests.tiny import DEEP, tiny_rows, tiny_settings

def show(event):
    print(event.task, event.done, flush=True)

classifier = ProductClassifier(tiny_settings(sys.argv[1], "training.epochs=4", DEEP))
with listening(show):
    classifier.fit(tiny_rows(900), checkpoint_dir=sys.argv[2])
"""


def state(folder):
    return json.loads((folder / "state.json").read_text())


def test_killed_training_goes_on_after_its_last_epoch(tiny_encoder, tmp_path):
    command = [sys.executable, "-c", TRAINING, str(tiny_encoder), str(tmp_path)]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in killed.stdout:
        if line.startswith("fine-tuning, epoch 3"):
            os.kill(killed.pid, signal.SIGKILL)
            break
    killed.wait()
    done = state(tmp_path)["history"]
    assert len(done) == 2
    resumed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert "fine-tuning, epoch 2" not in resumed.stdout
    assert "fine-tuning, epoch 4" in resumed.stdout
    assert state(tmp_path)["history"][:2] == done
    assert len(state(tmp_path)["history"]) == EPOCHS


def test_finished_training_is_taken_up_without_another_step(tiny_encoder, tmp_path):
    settings = tiny_settings(tiny_encoder, "training.epochs=2", DEEP)
    first = ProductClassifier(settings)
    first.fit(tiny_rows(90), checkpoint_dir=tmp_path)
    written = (tmp_path / "state.json").stat().st_mtime_ns
    again = ProductClassifier(settings)
    again.fit(tiny_rows(90), checkpoint_dir=tmp_path)
    assert (tmp_path / "state.json").stat().st_mtime_ns == written
    title = ["acme case 12"]
    assert again.predict(title)[0].score == pytest.approx(first.predict(title)[0].score, abs=1e-5)


def test_checkpoints_of_another_training_are_refused(tiny_encoder, tmp_path):
    ProductClassifier(tiny_settings(tiny_encoder, DEEP)).fit(tiny_rows(60), checkpoint_dir=tmp_path)
    with pytest.raises(TrainingError, match="those of another"):
        ProductClassifier(tiny_settings(tiny_encoder, DEEP)).fit(
            tiny_rows(90), checkpoint_dir=tmp_path
        )


def test_best_epoch_s_weights_are_kept(tiny_encoder, tmp_path):
    # A rate that wrecks the model in the last epochs: the end must not be what is kept.
    settings = tiny_settings(
        tiny_encoder,
        "training.epochs=3",
        "training.optimizer=sgd",
        "training.learning_rate=30",
        "training.clip_norm=0",
        "training.schedule=constant",
        "training.warmup_share=0.99",
        "wide.enabled=false",
        "training.patience=9",
    )
    trained = ProductClassifier(settings).fit(tiny_rows(240), checkpoint_dir=tmp_path)
    scores = [epoch["val_macro_f1"] for epoch in trained.history]
    assert trained.metrics["val"].macro_f1 == pytest.approx(max(scores), abs=1e-5)


def test_training_stops_early_when_nothing_gets_better(tiny_encoder):
    settings = tiny_settings(
        tiny_encoder,
        DEEP,
        "training.epochs=50",
        "training.patience=1",
        "training.learning_rate=1e-9",
    )
    assert len(ProductClassifier(settings).fit(tiny_rows(60)).history) == 2


def test_loss_that_is_no_number_stops_with_a_remedy(tiny_encoder):
    settings = tiny_settings(
        tiny_encoder,
        DEEP,
        "training.optimizer=sgd",
        "training.learning_rate=1e30",
        "training.warmup_share=0",
        "training.clip_norm=0",
        "training.epochs=3",
    )
    with pytest.raises(TrainingError, match="Lower training.learning_rate"):
        ProductClassifier(settings).fit(tiny_rows(120))


def test_checkpoint_folder_that_cannot_be_written_is_refused(tiny_encoder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        ProductClassifier(tiny_settings(tiny_encoder)).fit(
            tiny_rows(60), checkpoint_dir=tmp_path / "file"
        )


def test_confusion_picture_numbers_categories_that_the_font_cannot_draw(tmp_path, recwarn):
    labels = np.array([0, 1, 0])
    write_summaries(tmp_path, Settings(), ["手机壳", "Audio"], labels, np.eye(2)[labels])
    assert not [w for w in recwarn if "Glyph" in str(w.message)]
