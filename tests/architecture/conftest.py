"""What the tests of `architecture` share: the sample system, and files that nobody here wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from architecture.hydration import hydrate
from architecture.loading import load
from architecture.model import Architecture

SAMPLE = Path(__file__).parents[2] / "testdata" / "architectures" / "tracer.yaml"


@pytest.fixture
def sample_path() -> Path:
    """The sample system's file."""
    return SAMPLE


@pytest.fixture
def sample() -> Architecture:
    """The sample system as a user wrote it."""
    return load(SAMPLE).architecture


@pytest.fixture
def hydrated(sample: Architecture) -> Architecture:
    """The sample system, hydrated for the local project."""
    return hydrate(sample, base_dir=SAMPLE.parent, project_id="local-proj")


@pytest.fixture
def real() -> Path:
    """The folder of real files; CONDUCTOR_SHARED_TESTDATA leads to it."""
    shared = os.environ.get("CONDUCTOR_SHARED_TESTDATA")
    if not shared:
        pytest.skip("CONDUCTOR_SHARED_TESTDATA names no folder with real architecture files")
    return Path(shared) / "real"
