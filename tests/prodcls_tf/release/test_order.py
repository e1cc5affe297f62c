"""models.config and who moves what in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prodcls_tf.errors import ModelError, SettingsError
from prodcls_tf.release.moves import follow_newest, promote, roll_back
from prodcls_tf.release.order import (
    Order,
    config_file,
    follows_newest,
    read_order,
    write_order,
)
from serving.server.model_config import read_model_config_file

from .small_model import export


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Versions 3, 4, 5 and half of 6."""
    base = tmp_path / "serving" / "prodcls"
    for number in (3, 4, 5, 6):
        export(base / str(number))
    (base / "6" / "saved_model.pb").unlink()
    return base


def test_newest_serves_where_nothing_is_said(base: Path) -> None:
    assert read_order(base) == Order()
    assert read_order(base).wanted([3, 5, 4]) == [5]


def test_promoted_version_serves_alone_as_stable(base: Path) -> None:
    promote(base, 4)
    (model,) = read_model_config_file(config_file(base))
    assert (model.name, model.folder) == ("prodcls", base)
    assert (model.policy.kind, model.policy.versions) == ("specific", {4})
    assert model.labels == {"stable": 4}
    assert not read_order(base).follows


def test_other_label_serves_beside_what_served_before(base: Path) -> None:
    promote(base, 4)
    order = promote(base, 5, "canary")
    assert order.labels == {"stable": 4, "canary": 5}
    assert order.wanted([3, 4, 5]) == [5, 4]


def test_first_label_keeps_what_serves_as_stable(base: Path) -> None:
    assert promote(base, 3, "canary").labels == {"stable": 5, "canary": 3}


def test_rollback_goes_to_the_complete_version_before(base: Path) -> None:
    assert roll_back(base).labels == {"stable": 4}
    assert roll_back(base).labels == {"stable": 3}
    with pytest.raises(ModelError, match="needs an older complete version"):
        roll_back(base)


def test_rollback_takes_labels_of_newer_versions_along(base: Path) -> None:
    promote(base, 4)
    promote(base, 5, "canary")
    order = roll_back(base, 3)
    assert order.labels == {"stable": 3, "canary": 3}
    assert order.wanted([3, 4, 5]) == [3]


def test_following_the_newest_drops_labels(base: Path) -> None:
    promote(base, 4)
    follow_newest(base)
    assert read_order(base) == Order()


@pytest.mark.parametrize(
    ("move", "message"),
    [
        (lambda base: promote(base, 9), r"must be one in .* there are: 5, 4, 3\."),
        (lambda base: promote(base, 6), r"Received 6, which lacks saved_model\.pb"),
        (lambda base: roll_back(base, 6), "must be complete"),
        (lambda base: roll_back(base, 5), "older than 5, which serves"),
        (lambda base: roll_back(base, 2), "must be one in"),
    ],
    ids=["unknown", "incomplete", "back to half a one", "not older", "back to an unknown one"],
)
def test_version_that_cannot_serve_is_refused(base: Path, move, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        move(base)
    assert not config_file(base).exists()


def test_other_models_and_fields_are_kept(base: Path) -> None:
    config_file(base).write_text(
        'model_config_list { config { name: "shoes" base_path: "/srv/shoes" '
        'model_platform: "tensorflow" model_version_policy { all {} } } '
        'config { name: "prodcls" base_path: "/old" model_platform: "tensorflow" '
        "logging_config { sampling_config { sampling_rate: 0.5 } } } }"
    )
    promote(base, 4)
    shoes, ours = read_model_config_file(config_file(base))
    assert (shoes.base_path, shoes.policy.kind) == ("/srv/shoes", "all")
    assert ours.folder == base
    assert "sampling_rate: 0.5" in config_file(base).read_text()
    assert read_order(base.parent / "shoes").wanted([1, 2]) == [2, 1]


@pytest.mark.parametrize(
    "text", ["versions: 9", "model_config_list {", "\xff", "custom_model_config {}"]
)
def test_order_that_cannot_be_read_is_neither_followed_nor_replaced(base: Path, text: str) -> None:
    config_file(base).write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError, match="or delete it to have the newest version served"):
        read_order(base)
    assert not follows_newest(base)
    with pytest.raises(SettingsError, match="must hold a model_config_list"):
        promote(base, 4)
    assert config_file(base).read_text(encoding="latin-1") == text


def test_base_folder_may_bear_any_name(tmp_path: Path) -> None:
    base = tmp_path / 'a "name" with \\ and 猫'
    export(base / "1")
    write_order(base, Order(0, frozenset({1}), {"stable": 1}))
    assert read_order(base).labels == {"stable": 1}
    assert read_model_config_file(config_file(base))[0].folder == base
