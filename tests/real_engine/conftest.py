"""The real `pulumi`, alone or with the official provider against a local cloud; else skipped."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end.one_stack import OneStack
from end_to_end.project import Rehearsal
from real_engine.two_engines import FENCE, Engine


@pytest.fixture(scope="session")
def real_pulumi() -> Engine:
    """The real engine; skip where it is not. It needs no provider plugin."""
    found = shutil.which("pulumi")
    if found is None:
        pytest.skip("there is no `pulumi` on PATH")
    return Engine("pulumi", Path(found).parent)


@pytest.fixture(scope="session")
def _official_provider(real_pulumi: Engine) -> None:
    """Skip unless the official gcp provider is installed as well."""
    listed = subprocess.run(
        [str(real_pulumi.folder / "pulumi"), "plugin", "ls", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    if "gcp" not in {plugin["name"] for plugin in json.loads(listed.stdout)}:
        pytest.skip("the official gcp provider is not installed: `pulumi plugin install`")


@pytest.fixture
def pulumi(
    _official_provider: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OneStack]:
    """The sample system, brought up by the embedded engine, for the real one to take over."""
    for name, value in FENCE.items():
        monkeypatch.setenv(name, value)
        if name.endswith("PROXY"):
            monkeypatch.setenv(name.lower(), value)
    rehearsal = Rehearsal(tmp_path)
    # `Pulumi.yaml` runs the program with the virtual environment in the project's folder.
    (tmp_path / ".venv").symlink_to(sys.prefix)
    try:
        done = rehearsal.up("--propagation", "none")
        assert done.returncode == 0, done.stdout + done.stderr
        yield OneStack(rehearsal, "pulumi")
    finally:
        rehearsal.run("cloud", "stop")
