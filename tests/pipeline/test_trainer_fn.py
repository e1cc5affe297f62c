"""What the Trainer leaves alone in the folder of logs."""

from __future__ import annotations

from pathlib import Path

from pipeline.trainer_fn import clear_curves


def test_runs_of_wandb_outlive_the_curves_of_their_training(tmp_path: Path) -> None:
    for name in ("train/events", "validation/events", "wandb/offline-run-1/run.wandb", "events"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    clear_curves(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["run.wandb"]


def test_missing_logs_are_cleared_already(tmp_path: Path) -> None:
    clear_curves(tmp_path / "logs")
    assert not (tmp_path / "logs").exists()
