"""Runs that the gate stops or lets through, and what is remembered of their splits."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.out_folder import OutFolder
from pipeline.records import Records, step_of
from pipeline.runner import run
from prodcls_tf import progress
from prodcls_tf.data import placements
from prodcls_tf.data.anomalies import AnomalyReport
from prodcls_tf.errors import DataError, OutputError
from tests.tiny import tiny_rows, write_tiny_encoder

from .conftest import STEPS, Shop


class _EnoughError(Exception):
    """The run has come as far as the test needs."""


@contextmanager
def _until(step: str) -> Iterator[list[progress.Event]]:
    """Ends a run where a step begins: what comes then is not what is tested, and takes long."""
    events: list[progress.Event] = []

    def listen(event: progress.Event) -> None:
        events.append(event)
        if event.task.endswith(f" {step}") and event.done == 0:
            raise _EnoughError

    with progress.listening(listen):
        yield events


def _run_to_transform(shop: Shop) -> list[str]:
    """Runs a shop's pipeline past the gate, and returns the steps that were cached."""
    with _until("Transform") as events, pytest.raises(_EnoughError):
        run(shop.settings(), {"all": [shop.products]}, shop.out)
    return [event.task.split()[1] for event in events if event.detail == "cached"]


def _remembered(shop: Shop) -> dict[int, int]:
    """The split of each key that later runs keep to."""
    (file,) = OutFolder(shop.out).splits.iterdir()
    with gzip.open(file) as packed:
        packed.readline()
        found = np.frombuffer(packed.read(), placements.PLACEMENT)
    return dict(zip(found["key"].tolist(), found["split"].tolist(), strict=True))


def _write(shop: Shop, *more: tuple[str, str]) -> None:
    rows = tiny_rows(160)
    with shop.products.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["title", "category"])
        writer.writerows([*zip(rows["title"], rows["category"], strict=True), *more])


@pytest.mark.slow
def test_run_is_stopped_before_training_until_its_rows_are_accepted(
    tmp_path: Path, prodcls: Callable[..., Any]
) -> None:
    shop = Shop(
        tmp_path / "products.csv", write_tiny_encoder(tmp_path / "encoder"), tmp_path / "out"
    )
    out = OutFolder(shop.out)
    before_transform = STEPS[: STEPS.index("Transform")]
    _write(shop)
    assert _run_to_transform(shop) == []
    remembered = _remembered(shop)
    assert _run_to_transform(shop) == before_transform
    assert _remembered(shop) == remembered

    _write(shop, *((f"rose bush {n}", "Garden") for n in range(12)))
    with pytest.raises(DataError, match="'Garden'.*\n.*prodcls schema accept --out"):
        run(shop.settings(), {"all": [shop.products]}, shop.out)
    begun = {step_of(one) for one in Records.read(out.metadata).executions.values()}
    assert begun == {*before_transform}
    (stopping,) = AnomalyReport.model_validate_json(out.anomalies.read_text()).stopping
    assert (stopping.kind, stopping.examples) == ("new_category", ["Garden"])
    assert json.loads(out.intake.read_text())["rows_read"] == 172
    assert out.rejects.is_file()
    assert _remembered(shop) == remembered

    assert prodcls("schema", "accept", "--out", shop.out).returncode == 0
    assert _run_to_transform(shop) == [step for step in before_transform if step != "SchemaGate"]
    assert len(_remembered(shop)) == len(remembered) + 12
    assert _run_to_transform(shop) == before_transform


@pytest.fixture
def let_through(tmp_path: Path) -> Shop:
    """A shop whose rows the gate has let through."""
    shop = Shop(
        tmp_path / "products.csv", write_tiny_encoder(tmp_path / "encoder"), tmp_path / "out"
    )
    _write(shop)
    _run_to_transform(shop)
    return shop


@pytest.mark.slow
def test_splits_that_could_not_be_remembered_are_so_in_the_next_run(
    let_through: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _remembered(let_through)
    _write(let_through, *((f"{word} cable", "Audio") for word in ("silk", "gold", "jute")))

    def failing(own: Path, folder: Path) -> None:
        raise OutputError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(placements, "remember", failing)
        with pytest.raises(OutputError, match="no room"):
            run(let_through.settings(), {"all": [let_through.products]}, let_through.out)
    assert _remembered(let_through) == before
    assert "SchemaGate" in _run_to_transform(let_through)
    assert len(_remembered(let_through)) == len(before) + 3


@pytest.mark.slow
def test_rows_are_split_again_where_more_is_remembered_than_a_former_result_knew(
    let_through: Shop,
) -> None:
    terms = placements.Terms.of(let_through.settings().data, {"all"})
    key = next(key for key, split in _remembered(let_through).items() if split == 0)
    with placements.writing(let_through.out / "other.gz", terms) as add:
        add(np.array([(key, 2, 0)], placements.PLACEMENT))
    placements.remember(let_through.out / "other.gz", OutFolder(let_through.out).splits)
    assert "ProductExampleGen" not in _run_to_transform(let_through)
    assert _remembered(let_through)[key] == 2
    assert "ProductExampleGen" in _run_to_transform(let_through)


def test_broken_schema_is_told_before_any_step(tmp_path: Path) -> None:
    _write(shop := Shop(tmp_path / "products.csv", tmp_path / "no encoder", tmp_path / "out"))
    state = OutFolder(shop.out).schema / "1"
    state.mkdir(parents=True)
    (state / "baseline.json").write_text(
        '{"origin": "", "files": {}, "columns": {}, "splits": {}}', encoding="utf-8"
    )
    (state / "schema.pbtxt").write_text("feature { name: }", encoding="utf-8")
    with pytest.raises(DataError, match=r"schema\.pbtxt: 1:17"):
        run(shop.settings(), {"all": [shop.products]}, shop.out)
    assert not OutFolder(shop.out).metadata.exists()


def test_broken_splits_are_told_before_any_step(tmp_path: Path) -> None:
    _write(shop := Shop(tmp_path / "products.csv", tmp_path / "no encoder", tmp_path / "out"))
    OutFolder(shop.out).splits.mkdir(parents=True)
    (OutFolder(shop.out).splits / "a.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"a\.gz.*Bring the file back"):
        run(shop.settings(), {"all": [shop.products]}, shop.out)
    assert not OutFolder(shop.out).metadata.exists()
