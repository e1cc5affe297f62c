"""The calls of ModelService on real messages, over versions that need no TensorFlow."""

from __future__ import annotations

import time

import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    ModelVersionStatus,
)
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

from serving.server.config import ModelConfig, Policy
from serving.server.management import Management
from serving.server.status import Code, ServingError
from tests.serving.server.shop_of_versions import (
    CORRUPT,
    Loader,
    push,
    served,
    serving,
    until,
)


@pytest.fixture
def base(tmp_path):
    push(tmp_path / "shoes", 1)
    return tmp_path / "shoes"


@pytest.fixture
def registry(base):
    model = ModelConfig("shoes", str(base), Policy("all"), {"stable": 1})
    with serving(model, loader=Loader()) as registry:
        yield registry


@pytest.fixture
def management(registry):
    return Management(registry, reload_allowed=True, timeout=20)


def asked(management, text: str) -> list[ModelVersionStatus]:
    request = text_format.Parse(text, GetModelStatusRequest())
    return list(management.get_model_status(request).model_version_status)


def reload(management, *entries: str, **options):
    listed = "".join(f'config {{ {entry} model_platform: "tensorflow" }}' for entry in entries)
    text = f"config {{ model_config_list {{ {listed} }} }}"
    return management.handle_reload_config_request(
        text_format.Parse(text, ReloadConfigRequest()), **options
    )


def refusal(call, *arguments, **options) -> ServingError:
    with pytest.raises(ServingError) as caught:
        call(*arguments, **options)
    return caught.value


def test_states_are_told_newest_first_with_the_errors_of_failed_versions(management, base):
    push(base, 2, CORRUPT)
    until(lambda: len(asked(management, 'model_spec { name: "shoes" }')) == 2)
    until(lambda: asked(management, 'model_spec { name: "shoes" }')[0].state == 50)
    bad, good = asked(management, 'model_spec { name: "shoes" }')
    assert (bad.version, bad.state) == (2, ModelVersionStatus.END)
    assert bad.status.error_code == Code.DATA_LOSS.number
    assert bad.status.error_message == "this graph cannot be read"
    assert (good.version, good.state) == (1, ModelVersionStatus.AVAILABLE)
    assert good.HasField("status") and good.status.error_code == 0


@pytest.mark.parametrize("which", ["version { value: 1 }", 'version_label: "stable"'])
def test_one_version_can_be_asked_for(management, base, which):
    push(base, 2)
    (only,) = asked(management, f'model_spec {{ name: "shoes" {which} }}')
    assert only.version == 1


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        ("model_spec {}", Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (
            'model_spec { name: "hats" }',
            Code.NOT_FOUND,
            "Could not find any versions of model hats",
        ),
        (
            'model_spec { name: "shoes" version { value: 7 } }',
            Code.NOT_FOUND,
            "Could not find version 7 of model shoes",
        ),
        (
            'model_spec { name: "shoes" version_label: "x" }',
            Code.INVALID_ARGUMENT,
            "Unrecognized servable version label: x",
        ),
    ],
)
def test_what_is_unknown_is_told_as_by_tf_serving(management, text, code, message):
    error = refusal(asked, management, text)
    assert (error.code, error.message) == (code, message)


def test_reload_replaces_the_list_of_models(management, registry, tmp_path):
    push(tmp_path / "hats", 3)
    response = reload(management, f'name: "hats" base_path: "{tmp_path}/hats"')
    assert response.HasField("status") and response.status.error_code == 0
    assert served(registry, "hats") == 3
    assert refusal(served, registry).code == Code.NOT_FOUND


def test_reload_is_off_unless_it_was_allowed(registry, base):
    error = refusal(reload, Management(registry), f'name: "shoes" base_path: "{base}"')
    assert error.code == Code.UNIMPLEMENTED and "--enable_reload_config" in error.message
    assert served(registry) == 1


def test_reload_without_a_list_is_refused(management):
    for text in ("", "config {}", "config { custom_model_config {} }"):
        request = text_format.Parse(text, ReloadConfigRequest())
        error = refusal(management.handle_reload_config_request, request)
        assert error.code == Code.INVALID_ARGUMENT
        assert error.message.startswith("ServerModelConfig type not supported")


def test_reload_with_a_label_to_a_version_that_is_not_loaded_is_refused(management, base):
    label = 'version_labels { key: "best" value: 9 }'
    error = refusal(reload, management, f'name: "shoes" base_path: "{base}" {label}')
    assert error.code == Code.FAILED_PRECONDITION


def test_reload_with_an_entry_that_cannot_be_used_is_refused(management, registry):
    error = refusal(reload, management, 'name: "shoes"')
    assert error.code == Code.INVALID_ARGUMENT and "base_path" in error.message
    assert served(registry) == 1


def test_reload_of_a_model_that_cannot_be_loaded_says_why(management, base, tmp_path):
    push(tmp_path / "hats", 3, CORRUPT)
    entries = (f'name: "{name}" base_path: "{tmp_path}/{name}"' for name in ("hats", "gloves"))
    error = refusal(reload, management, *entries)
    assert error.code == Code.UNKNOWN
    assert error.message.startswith("2 servable(s) did not become available: {{name: hats ver")
    assert "this graph cannot be read" in error.message and "{name: gloves}" in error.message


def test_reload_ends_at_the_caller_s_deadline(registry, base, tmp_path):
    loader_gone = Management(registry, reload_allowed=True, timeout=60)
    began = time.monotonic()
    entry = f'name: "gloves" base_path: "{tmp_path}/gloves"'
    incomplete = push(tmp_path / "gloves", 1)
    (incomplete / "saved_model.pb").unlink()
    error = refusal(reload, loader_gone, entry, deadline=time.monotonic() + 0.3)
    assert error.code == Code.UNKNOWN
    assert time.monotonic() - began < 20
