"""What TFX's driver says of product files before the step runs, by its real classes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.types.standard_artifacts import Examples
from tfx.utils.proto_utils import proto_to_json

from pipeline.arguments import digest_of
from pipeline.example_gen import ProductExampleGen
from pipeline.product_files import ProductFilesDriver, files_of, input_of
from prodcls_tf.errors import InputError
from prodcls_tf.settings import DataSettings

ROWS = "title,category\nlamp 3,lamps\n"


@pytest.fixture
def products(tmp_path: Path) -> Path:
    path = tmp_path / "products.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def _step(*paths: Path) -> ProductExampleGen:
    files = {"all": [str(path) for path in paths]}
    return ProductExampleGen(
        files, DataSettings(), version="1", rejects="rejects.csv", splits="s.parquet"
    )


def _marks(*paths: Path) -> tuple[str, int]:
    """What the driver marks the examples with: the fingerprint and the span."""
    told = ProductFilesDriver(None).run(
        ExecutionInfo(
            exec_properties=dict(_step(*paths).exec_properties),
            output_dict={"examples": [Examples()]},
        )
    )
    (examples,) = told.output_artifacts["examples"].artifacts
    marks = examples.custom_properties
    return marks["input_fingerprint"].string_value, marks["span"].int_value


def test_step_is_told_of_all_files_in_their_order(tmp_path: Path) -> None:
    paths = [tmp_path / "b.csv", tmp_path / "more" / "a.csv", tmp_path / "c.csv"]
    properties = _step(*paths).exec_properties
    assert properties["input_base"] == str(tmp_path)
    assert files_of(properties["input_base"], properties["input_config"]) == {"all": paths}


def test_examples_bear_the_digest_that_the_run_goes_by(products: Path) -> None:
    assert _marks(products) == (digest_of({"all": [products]}), 0)


def test_file_written_anew_is_the_same_file(products: Path) -> None:
    before = _marks(products)
    products.write_text(ROWS, encoding="utf-8")
    os.utime(products, ns=(1, 1))
    assert _marks(products) == before


def test_change_that_keeps_size_and_time_is_seen(products: Path) -> None:
    before, times = _marks(products), products.stat()
    products.write_text(ROWS.replace("3", "4"), encoding="utf-8")
    os.utime(products, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert _marks(products) != before


def test_examples_are_of_the_newest_span(tmp_path: Path) -> None:
    paths = [tmp_path / f"span-{number}" / "products.csv" for number in (2, 11)]
    for path in paths:
        path.parent.mkdir()
        path.write_text(ROWS, encoding="utf-8")
    assert _marks(*paths)[1] == 11


def test_name_of_a_file_is_no_pattern(tmp_path: Path) -> None:
    odd, other = tmp_path / "a*{SPAN}[1].csv", tmp_path / "ab{SPAN}1.csv"
    odd.write_text(ROWS, encoding="utf-8")
    other.write_text(ROWS.replace("3", "4"), encoding="utf-8")
    assert _marks(odd)[0] == digest_of({"all": [odd]})


def test_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv"):
        _marks(tmp_path / "gone.csv")


def _found(*paths: str) -> list[Path]:
    base, config = input_of({"all": list(paths)})
    return files_of(base, proto_to_json(config))["all"]


def test_relative_and_absolute_paths_go_together(products: Path) -> None:
    assert _found("here.csv", str(products)) == [Path("here.csv").absolute(), products]


def test_folder_above_a_link_is_the_one_that_the_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "far" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "below")
    (tmp_path / "far" / "a.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "a.csv").write_text("another", encoding="utf-8")
    named, other = tmp_path / "link" / ".." / "a.csv", tmp_path / "b.csv"
    assert _found(str(named), str(other))[0].read_text(encoding="utf-8") == ROWS


def test_path_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="must be UTF-8"):
        input_of({"all": ["/shop/\udcff/a.csv"]})
