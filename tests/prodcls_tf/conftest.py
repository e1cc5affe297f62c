"""Fixtures of the library's tests."""

from __future__ import annotations

import shutil

import pytest

from tests.tiny import write_tiny_encoder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    """Folder of a tiny random BERT."""
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def tiny_encoder_copy(tiny_encoder, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(tiny_encoder, tmp_path / "encoder")
