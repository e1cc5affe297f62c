from __future__ import annotations

from pathlib import Path

import pytest

from prodcls_tf.errors import ModelError
from serving.versions import find_version, version_numbers


def make_version(folder: Path) -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def test_version_folder_stands_for_itself(tmp_path):
    version = make_version(tmp_path / "3")
    assert find_version(version) == version


def test_newest_version_is_the_highest_number_not_the_last_name(tmp_path):
    for name in ("2", "10", "9"):
        make_version(tmp_path / name)
    assert find_version(tmp_path) == tmp_path / "10"


def test_other_names_are_no_versions(tmp_path):
    for name in ("1", ".tmp-2", "3.bak", "٤", "007", "-5"):
        make_version(tmp_path / name)
    assert version_numbers(tmp_path) == [1]


def test_run_folder_stands_for_its_pushed_model(tmp_path):
    version = make_version(tmp_path / "serving" / "prodcls" / "1700000000")
    (tmp_path / "logs").mkdir()
    assert find_version(tmp_path) == version
    assert find_version(tmp_path / "serving") == version


def test_two_models_are_too_many(tmp_path):
    make_version(tmp_path / "serving" / "shoes" / "1")
    make_version(tmp_path / "serving" / "tools" / "1")
    with pytest.raises(ModelError, match="holds shoes, tools"):
        find_version(tmp_path)


def test_missing_folder(tmp_path):
    with pytest.raises(ModelError, match="not there"):
        find_version(tmp_path / "nothing")


def test_file_instead_of_folder(tmp_path):
    file = tmp_path / "model.h5"
    file.touch()
    with pytest.raises(ModelError, match="a file"):
        find_version(file)


def test_folder_without_versions(tmp_path):
    with pytest.raises(ModelError, match="whole numbers"):
        find_version(tmp_path)


def test_run_that_pushed_nothing(tmp_path):
    (tmp_path / "serving").mkdir()
    with pytest.raises(ModelError, match=r"summary\.json"):
        find_version(tmp_path)


@pytest.mark.parametrize("lost", ["saved_model.pb", "variables/variables.index"])
def test_incomplete_newest_version_is_named(tmp_path, lost):
    make_version(tmp_path / "1")
    (make_version(tmp_path / "2") / lost).unlink()
    with pytest.raises(ModelError, match=lost):
        find_version(tmp_path)


@pytest.mark.parametrize(("wanted", "found"), [(7, "7"), (12, "12")])
def test_version_that_models_config_names_is_meant(tmp_path, wanted, found):
    for number in ("7", "12"):
        make_version(tmp_path / "shoes" / number)
    put_order(tmp_path, wanted)
    assert find_version(tmp_path / "shoes").name == found


def test_version_that_models_config_names_and_that_is_gone_is_told(tmp_path):
    make_version(tmp_path / "shoes" / "7")
    put_order(tmp_path, 9)
    with pytest.raises(ModelError, match="without version 9"):
        find_version(tmp_path / "shoes")


def put_order(folder, version):
    (folder / "models.config").write_text(
        'model_config_list { config { name: "shoes" base_path: "/elsewhere" '
        'model_platform: "tensorflow" model_version_policy { '
        f"specific {{ versions: {version} }} }} }} }}"
    )
