"""The Pusher's executor on artifacts of its own, and pushes through TFX's fileio."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tfx.types import Artifact
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, PushedModel

from pipeline import remote_push
from pipeline.pusher import PushExecutor
from prodcls_tf.errors import ModelError, OutputError
from prodcls_tf.manifest import MANIFEST, STAGING
from prodcls_tf.release.moves import promote
from prodcls_tf.release.order import config_file
from tests.prodcls_tf.release.small_model import check_all, export, leftovers, versions


def _artifact(kind: type[Artifact], folder: Path, **properties: int | str) -> Artifact:
    artifact = kind()
    artifact.uri = str(folder)
    for name, value in properties.items():
        if isinstance(value, int):
            artifact.set_int_custom_property(name, value)
        else:
            artifact.set_string_custom_property(name, value)
    return artifact


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "prodcls"


@pytest.fixture
def run(tmp_path: Path, base: Path) -> Callable[..., Artifact]:
    """Runs the executor on a model with the given gates' words."""
    export(tmp_path / "trainer" / "Format-Serving")

    def run(keep: int = 5, **gates: list[Artifact]) -> Artifact:
        pushed = _artifact(PushedModel, tmp_path / "pushed")
        PushExecutor().Do(
            {"model": [_artifact(Model, tmp_path / "trainer")], **gates},
            {"pushed_model": [pushed]},
            {
                "push_destination": json.dumps({"filesystem": {"base_directory": str(base)}}),
                "custom_config": json.dumps({"keep": keep}),
            },
        )
        return pushed

    return run


BLESSED = [_artifact(ModelBlessing, Path("comparison"), blessed=1)]
CHECKED = [_artifact(InfraBlessing, Path("server"), blessed=1)]


def test_model_that_all_gates_bless_is_pushed(run, base: Path) -> None:
    pushed = run(model_blessing=BLESSED, infra_blessing=CHECKED)
    (version,) = versions(base)
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(base / str(version))
    assert pushed.get_string_custom_property("pushed_version") == str(version)
    check_all(base)


@pytest.mark.parametrize(
    ("gates", "reason"),
    [
        ({}, "the gate Comparison gave no blessing"),
        ({"model_blessing": []}, "the gate Comparison gave no blessing"),
        ({"infra_blessing": CHECKED}, "the gate Comparison gave no blessing"),
        (
            {"model_blessing": [_artifact(ModelBlessing, Path("comparison"), blessed=0)]},
            "the gate Comparison did not bless the model",
        ),
        (
            {"model_blessing": [_artifact(ModelBlessing, Path("comparison"))]},
            "the gate Comparison did not bless the model",
        ),
        ({"model_blessing": BLESSED}, "the gate Canary gave no blessing"),
        (
            {"model_blessing": BLESSED, "infra_blessing": []},
            "the gate Canary gave no blessing",
        ),
        (
            {
                "model_blessing": BLESSED,
                "infra_blessing": [_artifact(InfraBlessing, Path("server"), blessed=0)],
            },
            "the gate Canary did not bless the model",
        ),
    ],
)
def test_gate_that_says_nothing_or_no_keeps_the_model_back(run, base, gates, reason) -> None:
    pushed = run(**gates)
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("reason") == reason
    assert not base.exists()


def test_model_that_is_there_already_is_not_pushed_twice(run, base: Path) -> None:
    gates = {"model_blessing": BLESSED, "infra_blessing": CHECKED}
    first, second = run(**gates), run(**gates, keep=1)
    assert len(versions(base)) == 1
    for name in ("pushed_destination", "pushed_version"):
        assert first.get_string_custom_property(name) == second.get_string_custom_property(name)


# An object store is stood in for by a folder: fileio writes either, a file at a time.
@pytest.fixture
def model(tmp_path: Path) -> Path:
    return export(tmp_path / "model")


def _push(model: Path, base: Path, keep: int = 5, second: float = 7.0) -> str:
    return remote_push.push(model, str(base), keep=keep, clock=lambda: second)


def test_scheme_tells_an_object_store() -> None:
    assert remote_push.is_remote("gs://shop/models/prodcls")
    assert not remote_push.is_remote("/srv/models/prodcls")


def test_remote_versions_are_whole_and_rise(model: Path, base: Path) -> None:
    assert [_push(model, base), _push(model, base)] == [f"{base}/7", f"{base}/8"]
    check_all(base)
    assert leftovers(base) == []


def test_remote_versions_rise_above_one_that_was_deleted(model: Path, base: Path) -> None:
    shutil.rmtree(_push(model, base))
    assert _push(model, base) == f"{base}/8"


def test_remote_graph_and_manifest_come_last(
    model: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = remote_push.fileio.open

    def spying(path: str, mode: str = "r") -> object:
        opened.extend([path] if "w" in mode else [])
        return real(path, mode)

    monkeypatch.setattr(remote_push.fileio, "open", spying)
    version = _push(model, base)
    assert opened[0] == f"{base}/{STAGING}7"
    assert opened[-2:] == [f"{version}/saved_model.pb", f"{version}/{MANIFEST}"]


def test_remote_push_that_was_killed_is_swept(model: Path, base: Path) -> None:
    whole = _push(model, base)
    for marker in ("7", "8", "gone-9"):
        (base / f"{STAGING}{marker}").touch()
    half = export(base / "8")
    (half / MANIFEST).unlink()
    export(base / "9")
    assert _push(model, base, second=1) == f"{base}/8"
    assert versions(base) == [int(Path(whole).name), 8]
    assert leftovers(base) == []
    check_all(base)


def test_remote_push_of_a_damaged_model_leaves_nothing(model: Path, base: Path) -> None:
    (model / "saved_model.pb").write_text("graph gold")
    with pytest.raises(ModelError, match="which differs"):
        _push(model, base)
    assert (versions(base), leftovers(base)) == ([], [])
    (model / MANIFEST).unlink()
    with pytest.raises(ModelError, match="must have a manifest"):
        _push(model, base)


def test_remote_store_that_cannot_be_written_is_told(model: Path, base: Path) -> None:
    base.parent.mkdir()
    base.touch()
    with pytest.raises(OutputError, match="Check the address"):
        _push(model, base)


def test_remote_versions_are_kept_so_deep_and_labelled_ones_stay(model: Path, base: Path) -> None:
    _push(model, base)
    promote(base, 7)
    for _ in range(4):
        _push(model, base, keep=1)
    assert versions(base) == [7, 10, 11]
    config_file(base).write_text("model_config_list {")
    _push(model, base, keep=1)
    assert versions(base) == [7, 10, 11, 12]


def test_remote_push_that_stands_is_found(model: Path, base: Path) -> None:
    assert remote_push.find_pushed(model, str(base)) is None
    version = _push(model, base)
    assert remote_push.find_pushed(model, str(base)) == version
    _push(export(base.parent / "other", "other"), base)
    assert remote_push.find_pushed(model, str(base)) is None
    promote(base, 7)
    assert remote_push.find_pushed(model, str(base)) == version
