from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.versions import newest_version, serving_version
from prodcls_tf.errors import SettingsError
from prodcls_tf.release.moves import promote
from prodcls_tf.release.order import config_file
from prodcls_tf.release.pushing import push
from tests.prodcls_tf.release.small_model import export


def _pushed(base: Path, *seconds: float) -> None:
    model = export(base.parent.parent / "model")
    for second in seconds:
        push(model, base, clock=iter([second]).__next__)


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "prodcls"


def test_newest_version_counts_as_number(serving: Path) -> None:
    _pushed(serving, 9, 10)
    (serving / "notes").mkdir()
    (serving / "11").mkdir()
    assert newest_version(serving) == serving_version(serving) == serving / "10"


def test_no_folder_has_no_version(serving: Path) -> None:
    assert newest_version(serving) is None
    assert serving_version(serving) is None


def test_version_that_was_promoted_serves(serving: Path) -> None:
    _pushed(serving, 9, 10)
    promote(serving, 9)
    assert serving_version(serving) == serving / "9"
    assert newest_version(serving) == serving / "10"


def test_order_that_cannot_be_read_is_told(serving: Path) -> None:
    _pushed(serving, 9)
    config_file(serving).write_text("versions: 9")
    with pytest.raises(SettingsError, match=r"models\.config must hold"):
        serving_version(serving)
