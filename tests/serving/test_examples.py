from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.serving.answering_server import AnsweringServer
from tests.serving.server.embedded import running
from tests.serving.tiny_model import save_tiny_model

EXAMPLES = ROOT / "serving" / "examples"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The embedded server, which has Classify and REST."""
    with running(save_tiny_model(tmp_path_factory.mktemp("models") / "3").parent) as server:
        yield server


def run(*command):
    done = subprocess.run(
        [*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_plain_stubs_get_categories():
    with AnsweringServer().running() as server:
        script = EXAMPLES / "predict_with_stubs.py"
        printed = run(sys.executable, script, server.address, "title=frying pan", "description=")
    assert printed.splitlines()[0] == "0.800  Home > Cookware"


def test_plain_stubs_classify_titles(server):
    script = EXAMPLES / "classify_with_stubs.py"
    printed = run(sys.executable, script, f"localhost:{server.port}", "a pan", "headphones")
    first, second = printed.splitlines()
    assert first.endswith("  Home > Cookware  a pan")
    assert second.endswith("  Audio > Headphones  headphones")


def test_curl_gets_status_fields_and_categories(server):
    printed = run(EXAMPLES / "curl.sh", f"localhost:{server.rest_port}")
    for part in ('"state": "AVAILABLE"', '"description": {', '"categories": ['):
        assert part in printed


def test_protoset_holds_both_services_and_all_they_need(tmp_path):
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = tmp_path / "serving.protoset"
    run(sys.executable, EXAMPLES / "protoset.py", file)
    pool = descriptor_pool.DescriptorPool()
    for described in descriptor_pb2.FileDescriptorSet.FromString(file.read_bytes()).file:
        pool.Add(described)
    for service in ("PredictionService", "ModelService"):
        assert pool.FindServiceByName(f"tensorflow.serving.{service}").methods


@pytest.mark.parametrize("name", ["grpcurl.sh", "curl.sh"])
def test_shell_scripts_are_executable_and_sound(name):
    assert os.access(EXAMPLES / name, os.X_OK)
    run("bash", "-n", EXAMPLES / name)
