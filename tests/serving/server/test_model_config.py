"""The model_config_file, and a server that follows it."""

from __future__ import annotations

import pytest

from prodcls_tf.errors import SettingsError
from serving.server.config import ModelConfig, Policy
from serving.server.config_watcher import ConfigWatcher
from serving.server.model_config import read_model_config_file
from serving.server.registry import State
from serving.server.status import ServingError
from tests.serving.server.shop_of_versions import Loader, push, serving, until

FILE = """
model_config_list {
  config {
    name: "shoes"
    base_path: "/srv/shoes"
    model_platform: "tensorflow"
    model_version_policy { specific { versions: 3 versions: 5 } }
    version_labels { key: "stable" value: 3 }
    version_labels { key: "canary" value: 5 }
  }
  config { name: "hats" base_path: "/srv/hats" model_platform: "tensorflow"
           model_version_policy { latest { num_versions: 2 } } }
  config { name: "gloves" base_path: "/srv/gloves" model_type: TENSORFLOW
           model_version_policy { all {} } }
  config { name: "belts" base_path: "/srv/belts" model_platform: "tensorflow" }
}
"""


def write(tmp_path, text: str):
    draft = tmp_path / "draft"
    draft.write_text(text, encoding="utf-8")
    return draft.replace(tmp_path / "models.config")


def serves(registry, name: str) -> bool:
    try:
        return registry.statuses(name, 1)[0].state == State.AVAILABLE
    except ServingError:
        return False


def test_file_of_tf_serving_is_read_whole(tmp_path):
    assert read_model_config_file(write(tmp_path, FILE)) == [
        ModelConfig(
            "shoes",
            "/srv/shoes",
            Policy("specific", versions=frozenset({3, 5})),
            {"stable": 3, "canary": 5},
        ),
        ModelConfig("hats", "/srv/hats", Policy("latest", count=2)),
        ModelConfig("gloves", "/srv/gloves", Policy("all")),
        ModelConfig("belts", "/srv/belts", Policy("latest", count=1)),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model_config_list {\n config { nam: 'x' }\n}", "line 2: .*nam"),
        ('config { name: "x" }', "line 1: "),
        ("custom_model_config {}", "must be a model_config_list. Received custom"),
        ("", "must be a model_config_list. Received nothing"),
        (FILE.replace('"hats"', '"shoes"'), "name of its own. Received shoes"),
        (FILE.replace('"/srv/hats"', '""'), "must have a name and a base_path"),
        (FILE.replace('"/srv/hats"', '"gs://shop/hats"'), "folder of this machine"),
        (FILE.replace("versions: 3 versions: 5", ""), "must name versions"),
        (FILE.replace('"tensorflow"', '"onnx"'), "model_platform of model shoes"),
        (FILE.replace("model_type: TENSORFLOW", ""), "model_platform of model gloves"),
    ],
)
def test_faults_name_the_file_and_the_remedy(tmp_path, text, told):
    with pytest.raises(SettingsError, match=rf"models\.config.*{told}"):
        read_model_config_file(write(tmp_path, text))


def test_policy_asks_for_no_more_folders_than_it_needs():
    asked = []

    def loadable(version):
        asked.append(version)
        return version != 9

    assert Policy("latest", count=2).wanted([3, 9, 7, 8, 1], loadable) == [8, 7]
    assert asked == [9, 8, 7]


def test_server_follows_the_file_and_keeps_what_it_has_when_that_is_broken(tmp_path, caplog):
    for name in ("shoes", "hats"):
        push(tmp_path / name, 1)
    entry = 'config {{ name: "{0}" base_path: "{1}/{0}" model_platform: "tensorflow" }}'
    lists = {n: f"model_config_list {{ {entry.format(n, tmp_path)} }}" for n in ("shoes", "hats")}
    path = write(tmp_path, lists["shoes"])
    with serving(*read_model_config_file(path), loader=Loader()) as registry:
        watcher = ConfigWatcher(lambda: read_model_config_file(path), registry.configure, 0.02)
        watcher.start()
        write(tmp_path, lists["hats"])
        until(lambda: serves(registry, "hats"))
        write(tmp_path, "nonsense")
        until(lambda: "The present configuration stays" in caplog.text)
        assert serves(registry, "hats")
        write(tmp_path, lists["shoes"])
        until(lambda: serves(registry, "shoes"))
        watcher.stop()
    assert caplog.text.count("The present configuration stays") == 1
