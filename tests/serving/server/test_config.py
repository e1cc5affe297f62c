"""Flags and the batching parameters file."""

from __future__ import annotations

import pytest

from prodcls_tf.errors import SettingsError
from serving.server.config import BatchingParameters, ModelConfig, ServerOptions


def write(tmp_path, text: str) -> str:
    path = tmp_path / "file.config"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_defaults_are_those_of_tf_serving():
    options = ServerOptions(model_base_path="/srv/shoes")
    assert (options.port, options.rest_api_port, options.model_name) == (8500, 0, "default")
    assert options.file_system_poll_wait_seconds == 1
    assert options.saved_model_tags == "serve"
    assert options.batching() is None
    assert options.models() == [ModelConfig("default", "/srv/shoes")]


def test_batching_without_a_file_has_tf_serving_s_defaults():
    parameters = ServerOptions(model_base_path="/srv", enable_batching=True).batching()
    assert parameters.max_batch_size == 1000
    assert parameters.batch_timeout_micros == 0
    assert parameters.max_enqueued_batches == 10
    assert parameters.num_batch_threads >= 1
    assert parameters.allowed_batch_sizes == ()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({}, "model_base_path and server_options.model_config_file are empty"),
        (
            {"model_base_path": "/srv", "batching_parameters_file": "x"},
            "batching_parameters_file is set without setting server_options.enable_batching",
        ),
        ({"model_base_path": "/srv", "rest_api_port": 8500}, "cannot be same as --port"),
        ({"model_base_path": "/srv", "port": 70000}, "--port must be from 0 to 65535"),
        ({"model_base_path": "/srv", "grpc_max_threads": 0}, "--grpc_max_threads"),
        ({"model_base_path": "/srv", "per_process_gpu_memory_fraction": 1.5}, "from 0 to 1"),
    ],
)
def test_flags_that_cannot_hold_are_refused(flags, told):
    with pytest.raises(SettingsError, match=told):
        ServerOptions(**flags)


def test_batching_parameters_are_read_from_tf_serving_s_format(tmp_path):
    path = write(
        tmp_path,
        """
        max_batch_size { value: 32 }
        batch_timeout_micros { value: 1000 }
        num_batch_threads { value: 2 }  # one a core
        thread_pool_name { value: "batches" }
        allowed_batch_sizes: 8
        allowed_batch_sizes: 32
        pad_variable_length_inputs: true
        """,
    )
    options = ServerOptions(
        model_base_path="/srv", enable_batching=True, batching_parameters_file=path
    )
    assert options.batching() == BatchingParameters(
        max_batch_size=32,
        batch_timeout_micros=1000,
        max_enqueued_batches=10,
        num_batch_threads=2,
        allowed_batch_sizes=(8, 32),
        pad_variable_length_inputs=True,
    )


def test_a_zero_that_is_written_is_no_default(tmp_path):
    with pytest.raises(SettingsError, match="max_batch_size must be positive; was 0"):
        BatchingParameters.read(write(tmp_path, "max_batch_size { value: 0 }"))


@pytest.mark.parametrize(
    "text",
    [
        "max_batch_size { value: 32 } allowed_batch_sizes: 8",
        "max_batch_size { value: 8 } allowed_batch_sizes: [8, 8]",
        "max_batch_size { value: 8 } allowed_batch_sizes: [4, 2, 8]",
        "max_batch_size { value: 8 } allowed_batch_sizes: [0, 8]",
        "allowed_batch_sizes: [8, 32]",
    ],
)
def test_allowed_sizes_must_rise_to_the_largest(tmp_path, text):
    with pytest.raises(SettingsError, match=r"file\.config: allowed_batch_sizes"):
        BatchingParameters.read(write(tmp_path, text))


def test_splitting_of_large_requests_is_refused_and_may_be_off(tmp_path):
    off = "enable_large_batch_splitting { value: false }"
    assert BatchingParameters.read(write(tmp_path, off)) == BatchingParameters()
    with pytest.raises(SettingsError, match="does not split requests"):
        BatchingParameters.read(write(tmp_path, off.replace("false", "true")))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_batch_size { value: 8 }\nbatch_timeout: 3", r"line 2: .*batch_timeout"),
        ("\n\nmax_batch_size { value: 'x' }", r"line 3: .*integer"),
        ("max_batch_size: 8", "line 1"),
    ],
)
def test_faults_name_file_and_line(tmp_path, text, told):
    with pytest.raises(SettingsError, match=rf"file\.config, {told}"):
        BatchingParameters.read(write(tmp_path, text))


def test_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "binary", "."):
        with pytest.raises(SettingsError, match="readable text"):
            BatchingParameters.read(str(tmp_path / name))
