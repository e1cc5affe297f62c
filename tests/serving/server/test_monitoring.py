from __future__ import annotations

import pytest

from prodcls_tf.errors import SettingsError
from serving.server.monitoring import DEFAULT_PATH, prometheus_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", DEFAULT_PATH),
        ('prometheus_config { enable: true path: "/figures" }', "/figures"),
        ('prometheus_config { enable: false path: "/figures" }', None),
        ("", None),
    ],
)
def test_path_is_that_of_the_file(tmp_path, text, path):
    file = tmp_path / "monitoring.config"
    file.write_text(text, encoding="utf-8")
    assert prometheus_path(str(file)) == path


def test_without_a_file_it_is_tf_servings_own():
    assert prometheus_path("") == "/monitoring/prometheus/metrics"


@pytest.mark.parametrize("path", ["figures", "/v1/figures", "/V1/x"])
def test_path_of_something_else_is_refused(tmp_path, path):
    file = tmp_path / "monitoring.config"
    file.write_text(f'prometheus_config {{ enable: true path: "{path}" }}', encoding="utf-8")
    with pytest.raises(SettingsError, match="must begin with / and not with /v1/"):
        prometheus_path(str(file))


def test_our_own_example_is_read():
    from tests.conftest import ROOT

    file = ROOT / "serving" / "config" / "monitoring.config"
    assert prometheus_path(str(file)) == DEFAULT_PATH
