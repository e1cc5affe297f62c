"""A host that only serves has neither transformers nor TFX nor Beam."""

from __future__ import annotations

import configparser
import re
import signal
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.serving.server.embedded import NAME, Process, asking, until
from tests.serving.tiny_model import save_tiny_model

# Of the other extras, by the names of their modules and of their distributions.
MISSING = (
    "apache_beam", "keras_tuner", "matplotlib", "ml_metadata", "safetensors", "sklearn",
    "tensorflow_data_validation", "tensorflow_model_analysis", "tensorflow_transform", "tfx",
    "tfx_bsl", "transformers",
)  # fmt: skip
NOT_INSTALLED = {name.replace("_", "-") for name in MISSING} | {"scikit-learn", "apache-beam"}
WITHOUT = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {MISSING}:
            raise ModuleNotFoundError(f"No module named {{name!r}} on a serving host", name=name)

sys.meta_path.insert(0, Blocker())
import runpy
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "3").parent


@pytest.mark.parametrize(
    ("module", "arguments", "says"),
    [
        ("serving.server", (), r"Serving gRPC on port (\d+)"),
        ("prodcls_tf.cli", ("serve", "--engine=embedded"), r"gRPC +\S+:(\d+)"),
    ],
)
def test_server_answers_where_training_is_not_installed(base, module, arguments, says):
    code = WITHOUT + f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    flags = [f"--model_base_path={base}", f"--model_name={NAME}", "--port=0"]
    with Process(*arguments, *flags, program=("-c", code)) as process:
        until(lambda: re.search(says, process.output) or process.ended, 120)
        port = re.search(says, process.output)
        assert port, process.output
        with asking(int(port[1])) as client:
            answer = client.predict("headphones")
        assert answer.outputs["categories"].string_val[0] == b"Audio > Headphones"
        process.send(signal.SIGTERM)
        assert process.wait() == 0, process.output


@pytest.mark.parametrize("extra", ["client", "serving"])
def test_extra_brings_nothing_of_training(extra):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras, waiting, names = setup["options.extras_require"], [extra], set()
    lines = setup["options"]["install_requires"].splitlines()
    while waiting:
        lines += extras[waiting.pop()].splitlines()
        waiting += [line[8:-1] for line in lines if line.startswith("prodcls[")]
        names |= {re.match(r"[\w-]*", line)[0] for line in lines if not line.startswith("prodcls[")}
        lines = []
    assert names & {"pydantic", "grpcio"} == {"pydantic", "grpcio"}
    assert not names & NOT_INSTALLED
    assert ("tensorflow" in names) == (extra == "serving")


def test_blocked_module_would_be_missed(base):
    code = WITHOUT + "import transformers"
    with Process(program=("-c", code)) as process:
        assert process.wait() == 1
        assert "No module named 'transformers' on a serving host" in process.output
