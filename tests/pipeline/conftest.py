"""A tiny shop and the runs of the pipeline on it.

A run costs half a minute, so the runs are made once, each in the output folder of the one before,
and the tests look at what they left.
"""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.runner import run
from pipeline.summary import Summary
from prodcls_tf import progress
from prodcls_tf.release.moves import follow_newest, roll_back
from prodcls_tf.settings import Settings
from tests.tiny import DEEP, tiny_rows, tiny_settings, write_tiny_encoder

ROOT = Path(__file__).parents[2]

STEPS = [
    "ProductExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "SchemaGate",
    "Transform",
    "Trainer",
    "Evaluator",
    "Comparison",
    "Canary",
    "Pusher",
]

# Runs what its arguments say and prints each event, so that a test can kill it at the right one.
_CHILD = """
import sys
from pathlib import Path
from pipeline.runner import run
from prodcls_tf import progress
from prodcls_tf.settings import Settings

with progress.listening(lambda event: print("|", event.task, "|", event.detail, flush=True)):
    run(Settings.load(sys.argv[1]), {"all": [Path(sys.argv[2])]}, Path(sys.argv[3]))
"""


@dataclass(frozen=True)
class Shop:
    """Where a tiny shop's files lie, and by which column its models are compared, too."""

    products: Path
    encoder: Path
    out: Path
    slice_by: str = ""

    def settings(self, *overrides: str) -> Settings:
        """Settings that push any model, without what costs seconds and plays no part here."""
        return tiny_settings(
            self.encoder,
            DEEP,
            "data.val_share=0.2",
            "data.test_share=0.2",
            f"data.slice_by={self.slice_by}",
            "evaluation.min_accuracy=0",
            "evaluation.min_macro_f1=0",
            "evaluation.max_drop=1",
            "evaluation.max_slice_drop=1",
            "pipeline.beam_args=[--direct_num_workers=1, --no_pipeline_type_check]",
            *overrides,
        )


@dataclass(frozen=True)
class Run:
    """What a run said and left: its pushed versions and the files of its curves too."""

    summary: Summary
    events: list[progress.Event]
    versions: list[str]
    curves: set[str]

    @property
    def ran(self) -> list[str]:
        """The steps that were not cached."""
        return [step for step in STEPS if step not in self.summary.cached]


def run_in(shop: Shop, *overrides: str) -> Run:
    """Runs the pipeline in the shop's output folder."""
    events: list[progress.Event] = []
    with progress.listening(events.append):
        summary = run(shop.settings(*overrides), {"all": [shop.products]}, shop.out)
    pushed = (shop.out / "serving" / "prodcls").iterdir()
    versions = sorted(path.name for path in pushed if path.is_dir())
    curves = {path.name for path in (shop.out / "logs").rglob("events.out.tfevents.*")}
    return Run(summary, events, versions, curves)


def write_products(path: Path, count: int) -> None:
    """Writes a product file of so many rows, some filed wrongly: no model gets them all."""
    rows = tiny_rows(count)
    rows["category"][::7] = ["Audio"] * len(rows["category"][::7])
    rows["store"] = [("north", "south")[number % 2] for number in range(count)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(rows)
        writer.writerows(zip(*rows.values(), strict=True))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A tiny shop with 160 products and a tiny BERT."""
    folder = tmp_path_factory.mktemp("shop")
    write_products(folder / "products.csv", 160)
    encoder = write_tiny_encoder(folder / "encoder")
    return Shop(folder / "products.csv", encoder, folder / "out", slice_by="store")


@pytest.fixture(scope="session")
def first(shop: Shop) -> Run:
    """The first run."""
    return run_in(shop)


@pytest.fixture(scope="session")
def again(shop: Shop, first: Run) -> Run:
    """The same once more."""
    return run_in(shop)


@pytest.fixture(scope="session")
def strict(shop: Shop, again: Run) -> Run:
    """A run with a bound that no model reaches."""
    return run_in(shop, "evaluation.min_accuracy=1", "evaluation.min_macro_f1=1")


@pytest.fixture(scope="session")
def retrained(shop: Shop, strict: Run) -> Run:
    """A run with another training setting."""
    return run_in(shop, "training.learning_rate=0.01")


@pytest.fixture(scope="session")
def returned(shop: Shop, retrained: Run) -> Run:
    """The first run's settings again, after another model was pushed."""
    return run_in(shop)


@pytest.fixture(scope="session")
def restored(shop: Shop, returned: Run) -> Run:
    """The same, after the version that was pushed was deleted and a former result cut short."""
    shutil.rmtree(returned.summary.model or "")
    results = shop.out / "pipeline" / "Comparison" / "blessing"
    last = max(results.iterdir(), key=lambda folder: int(folder.name))
    os.truncate(last / "report.json", 5)
    return run_in(shop)


@pytest.fixture(scope="session")
def rolled_back(shop: Shop, restored: Run) -> Run:
    """The same once more, after somebody rolled back."""
    base = shop.out / "serving" / "prodcls"
    roll_back(base)
    run = run_in(shop)
    follow_newest(base)
    return run


@pytest.fixture(scope="session")
def killed(shop: Shop, rolled_back: Run) -> list[str]:
    """Lines of a run on a changed file that was killed in the third epoch."""
    write_products(shop.products, 200)
    settings = shop.out.parent / "long.yaml"
    settings.write_text(shop.settings(*LONG).to_yaml(), encoding="utf-8")
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(settings), str(shop.products), str(shop.out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    assert child.stdout is not None
    for line in child.stdout:
        lines.append(line.strip())
        if line.startswith("| fine-tuning, epoch 3 "):
            child.send_signal(signal.SIGKILL)
    assert child.wait(timeout=60) == -signal.SIGKILL
    return lines


LONG = ("training.epochs=12", "training.patience=12")


@pytest.fixture(scope="session")
def resumed(shop: Shop, killed: list[str]) -> Run:
    """The killed run again."""
    return run_in(shop, *LONG)


@pytest.fixture(scope="session")
def worse(shop: Shop, resumed: Run) -> Run:
    """A run whose settings make a model that learns nothing, with the usual bound of a fall."""
    return run_in(shop, *CRIPPLED)


CRIPPLED = (
    "training.learning_rate=1.0e-9",
    "head.probe=false",
    "evaluation.max_drop=0.005",
    "evaluation.max_slice_drop=0.05",
    "evaluation.slice_rows=10",
    "pipeline.keep=1",
)


@pytest.fixture
def copied(shop: Shop, resumed: Run, tmp_path: Path) -> Path:
    """The output folder of all runs, at another place."""
    out = tmp_path / "runs" / "copied"
    shutil.copytree(shop.out, out)
    return out
