"""Runs that cannot be, and are told so before anything dear begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.out_folder import OutFolder
from pipeline.runner import run
from prodcls_tf.errors import EncoderError, InputError, OutputError

from .conftest import Shop


def test_missing_column_is_told_before_tensorflow_loads(shop: Shop, tmp_path: Path) -> None:
    settings = shop.settings("data.label=kind")
    with pytest.raises(InputError, match="kind"):
        run(settings, {"all": [shop.products]}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_error_inside_a_step_comes_as_itself(shop: Shop, tmp_path: Path) -> None:
    products = tmp_path / "one.csv"
    rows = "".join(f"cable {n},A,north\n" for n in range(40))
    products.write_text(f"title,category,store\n{rows}")
    with pytest.raises(InputError, match="at least two categories"):
        run(shop.settings(), {"all": [products]}, tmp_path / "out")
    assert not (tmp_path / "out" / "summary.json").exists()


def test_rows_are_told_though_too_many_of_them_stop_the_run(shop: Shop, tmp_path: Path) -> None:
    products, out = tmp_path / "broken.csv", OutFolder(tmp_path / "out")
    rows = "".join(f"cable {n},A\ncase {n},B\n" for n in range(40))
    products.write_text(f"title,category\n{rows}radio\n" + "a,b,c\n" * 9)
    settings = shop.settings("data.slice_by=")
    with pytest.raises(InputError, match="Received 10 of 90"):
        run(settings, {"all": [products]}, out.root)
    assert json.loads(out.intake.read_text())["rejected"]["rows"] == 10
    assert len(out.rejects.read_text().splitlines()) > 10


def test_unreadable_encoder_is_told(shop: Shop, tmp_path: Path) -> None:
    settings = shop.settings(f"encoder.name={tmp_path}")
    with pytest.raises(EncoderError, match=r"config\.json"):
        run(settings, {"all": [shop.products]}, tmp_path / "out")


def test_output_folder_that_cannot_be_written_is_told(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="another folder"):
        run(shop.settings(), {"all": [shop.products]}, tmp_path / "file" / "out")


def test_second_run_in_the_same_folder_waits_for_the_first(shop: Shop, tmp_path: Path) -> None:
    with OutFolder(tmp_path).held(), pytest.raises(OutputError, match="another run"):
        run(shop.settings(), {"all": [shop.products]}, tmp_path)
