"""What is removed of former runs: real stores of ML Metadata, written for the purpose."""

from __future__ import annotations

from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.cached import Fingerprints
from pipeline.out_folder import OutFolder
from pipeline.records import Records, open_store
from pipeline.retention import remove_old, tidy

CHANNELS = {"Gen": ("examples",), "Trainer": ("model", "model_run"), "Evaluator": ("evaluation",)}
FILES = {
    "examples": ("Split-train/data.gz", "intake.json"),
    "model": (
        "Format-Serving/saved_model.pb",
        "Format-Serving/variables/variables.index",
        "Format-Serving/assets.extra/metrics.json",
    ),
    "model_run": ("train/events",),
    "evaluation": ("metrics.tfrecord",),
}


class Folder:
    """An output folder whose runs are written by hand."""

    def __init__(self, root: Path) -> None:
        self.out = OutFolder(root)
        self.out.artifacts.mkdir(parents=True)
        mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.store = open_store(self.out.metadata, mode)
        self._artifact = self.store.put_artifact_type(pb.ArtifactType(name="Thing"))
        self._context = self.store.put_context_type(pb.ContextType(name="pipeline_run"))
        self._runs = 0

    def run(self, *steps: str, state: int = pb.Execution.COMPLETE, cached: dict | None = None):
        """Writes a run of steps; those of `cached` take over the artifacts given there."""
        self._runs += 1
        context = pb.Context(type_id=self._context, name=str(self._runs))
        made: dict[str, dict[str, pb.Artifact]] = {}
        for step in steps:
            kind = self.store.put_execution_type(pb.ExecutionType(name=f"pipeline.{step}"))
            taken = (cached or {}).get(step)
            execution = pb.Execution(
                type_id=kind, last_known_state=pb.Execution.CACHED if taken else state
            )
            number, _, _ = self.store.put_execution(execution, [], [context])
            context.id = self.store.get_context_by_type_and_name("pipeline_run", context.name).id
            made[step] = taken or {
                channel: self._write(step, channel, number, state) for channel in CHANNELS[step]
            }
            self._link(number, made[step])
        return made

    def _write(self, step: str, channel: str, number: int, state: int) -> pb.Artifact:
        folder = self.out.artifacts / step / channel / str(number)
        for name in FILES[channel]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
        live = state == pb.Execution.COMPLETE
        artifact = pb.Artifact(
            type_id=self._artifact,
            uri=str(folder),
            state=pb.Artifact.LIVE if live else pb.Artifact.PENDING,
        )
        (artifact.id,) = self.store.put_artifacts([artifact])
        if live:
            Fingerprints(self.out.records).keep([folder])
        return artifact

    def _link(self, number: int, made: dict[str, pb.Artifact]) -> None:
        for channel, artifact in made.items():
            event = pb.Event(artifact_id=artifact.id, execution_id=number, type=pb.Event.OUTPUT)
            event.path.steps.add().key = channel
            self.store.put_events([event])

    def states(self) -> list[str]:
        return [pb.Artifact.State.Name(artifact.state) for artifact in self.store.get_artifacts()]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "out")


def files(artifact: pb.Artifact) -> list[str]:
    root = Path(artifact.uri)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_old_trainings_keep_what_is_told_of_them(folder: Folder) -> None:
    old = folder.run(*CHANNELS)
    new = folder.run(*CHANNELS)
    remove_old(folder.out, keep=1)
    assert files(old["Gen"]["examples"]) == ["intake.json"]
    assert files(old["Trainer"]["model"]) == ["Format-Serving/assets.extra/metrics.json"]
    assert files(old["Trainer"]["model_run"]) == []
    assert files(old["Evaluator"]["evaluation"]) == ["metrics.tfrecord"]
    for step, channels in new.items():
        assert [files(made) for made in channels.values()] == [
            sorted(FILES[name]) for name in CHANNELS[step]
        ]


def test_metadata_calls_deleted_what_is_removed_alone(folder: Folder) -> None:
    folder.run(*CHANNELS)
    folder.run(*CHANNELS)
    remove_old(folder.out, keep=1)
    assert folder.states() == ["DELETED"] * 3 + ["LIVE"] * 5


def test_what_the_last_runs_took_over_stays(folder: Folder) -> None:
    first = folder.run(*CHANNELS)
    folder.run(*CHANNELS, cached={"Gen": first["Gen"]})
    remove_old(folder.out, keep=1)
    assert "Split-train/data.gz" in files(first["Gen"]["examples"])
    assert "Format-Serving/saved_model.pb" not in files(first["Trainer"]["model"])


def test_runs_without_a_new_training_push_none_out(folder: Folder) -> None:
    first, second = folder.run(*CHANNELS), folder.run(*CHANNELS)
    for _ in range(3):
        folder.run(*CHANNELS, cached=second)
    folder.run("Gen")
    remove_old(folder.out, keep=2)
    assert "Format-Serving/saved_model.pb" in files(first["Trainer"]["model"])
    assert set(folder.states()) == {"LIVE"}


def test_what_was_removed_on_purpose_is_no_damage(folder: Folder) -> None:
    old = folder.run(*CHANNELS)
    folder.run(*CHANNELS)
    remove_old(folder.out, keep=1)
    tidy(folder.out)
    assert files(old["Trainer"]["model"]) == ["Format-Serving/assets.extra/metrics.json"]


def test_removal_that_was_cut_off_is_ended_by_the_next(folder: Folder) -> None:
    old = folder.run(*CHANNELS)["Gen"]["examples"]
    folder.run(*CHANNELS)
    old.state = pb.Artifact.DELETED
    folder.store.put_artifacts([old])
    remove_old(folder.out, keep=1)
    assert files(old) == ["intake.json"]


@pytest.mark.parametrize("state", [pb.Execution.RUNNING, pb.Execution.FAILED])
def test_pieces_of_a_killed_or_failed_step_go(folder: Folder, state: int) -> None:
    whole = folder.run("Gen")["Gen"]["examples"]
    piece = folder.run("Gen", state=state)["Gen"]["examples"]
    tidy(folder.out)
    assert not Path(piece.uri).exists()
    assert files(whole) == sorted(FILES["examples"])


def test_damaged_and_lost_results_are_no_longer_called_live(folder: Folder) -> None:
    made = [folder.run("Gen")["Gen"]["examples"] for _ in range(3)]
    Path(made[0].uri, "intake.json").write_text("cut")
    Path(made[1].uri).rename(folder.out.root / "elsewhere")
    tidy(folder.out)
    assert folder.states() == ["DELETED", "DELETED", "LIVE"]
    assert [Path(one.uri).exists() for one in made] == [False, False, True]


def test_metadata_that_a_kill_left_without_tables_gets_them(tmp_path: Path) -> None:
    out = OutFolder(tmp_path)
    out.metadata.touch()
    tidy(out)
    assert Records.read(out.metadata).executions == {}


def test_nothing_outside_a_copied_folder_is_touched(folder: Folder, tmp_path: Path) -> None:
    old = folder.run(*CHANNELS)
    folder.run(*CHANNELS)
    folder.out.root.rename(tmp_path / "moved")
    Path(old["Gen"]["examples"].uri, "Split-train").mkdir(parents=True)
    remove_old(OutFolder(tmp_path / "moved"), keep=1)
    assert Path(old["Gen"]["examples"].uri, "Split-train").is_dir()
    left = list((tmp_path / "moved").glob("pipeline/Gen/examples/*/Split-train"))
    assert [path.parent.name for path in left] == ["4"]
