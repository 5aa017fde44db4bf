"""Fixtures of the engine's tests: a project in a temporary folder, a world of fake things."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_bench import Bench, shared_launcher
from fake_provider import World

from rehearsal.engine.programs.processes import ZygoteLauncher


@pytest.fixture(scope="session")
def launcher() -> Iterator[ZygoteLauncher]:
    """One zygote for the whole session, ended with it."""
    launcher = shared_launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def world() -> World:
    """An empty world."""
    return World()


@pytest.fixture
def bench(tmp_path: Path, world: World, launcher: ZygoteLauncher) -> Bench:
    """A project without a program yet."""
    return Bench(tmp_path, world, launcher)
