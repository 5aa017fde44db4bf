"""What a reviewer is shown, and what stands between a review and a run: on whole rehearsals."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(240)

VALUE = "a-value-that-nobody-may-see"
SECRET = "every-kind-db-password"


def every_kind(rehearsal: Rehearsal) -> Path:
    """Name the sample with every kind of resource, whose secret is made."""
    value = rehearsal.folder / "value"
    value.write_text(VALUE)
    words = ("secrets", "set", SECRET, "--project", "local-proj", "--from-file", str(value))
    done = rehearsal.run(*words)
    assert done.returncode == 0, done.stderr
    return rehearsal.folder / "testdata" / "architectures" / "every-kind.yaml"


def previewed(
    rehearsal: Rehearsal, architecture: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Preview an architecture."""
    done = rehearsal.run("preview", str(architecture), "--placeholders", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_same_system_has_the_same_fingerprint_in_another_folder(
    rehearsal: Rehearsal, tmp_path: Path
) -> None:
    """A pipeline previews in one checkout and deploys in another: paths and ports are no content."""
    elsewhere = tmp_path / "another" / "checkout"
    elsewhere.mkdir(parents=True)
    other = Rehearsal(elsewhere)
    try:
        here, there = (
            json.loads(previewed(one, every_kind(one), "--format", "json").stdout)
            for one in (rehearsal, other)
        )
    finally:
        other.run("cloud", "stop")
    assert here == there
    assert str(rehearsal.folder) not in json.dumps(here)
    assert VALUE not in json.dumps(here)
