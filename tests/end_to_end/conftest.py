"""A whole rehearsal in a folder of its own: the real command, engine, cloud and services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end.project import Rehearsal


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    """A rehearsal whose local cloud is stopped at the end, whatever happened."""
    made = Rehearsal(tmp_path)
    yield made
    for environment in (tmp_path / ".conductor").glob("*"):
        stopped = made.run("cloud", "stop", env=environment.name)
        assert stopped.returncode == 0, stopped.stderr
