"""The real `pulumi` with the official providers, against a local cloud; skipped where it is not."""

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

# Nothing may reach the internet: what is not pointed at the local cloud fails at this closed port.
FENCE = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
}


@pytest.fixture(scope="session")
def _real_pulumi() -> None:
    """Skip unless the engine and the gcp provider are installed."""
    found = shutil.which("pulumi")
    if found is None:
        pytest.skip("there is no `pulumi` on PATH")
    listed = subprocess.run(
        [found, "plugin", "ls", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    if "gcp" not in {plugin["name"] for plugin in json.loads(listed.stdout)}:
        pytest.skip("the official gcp provider is not installed: `pulumi plugin install`")


@pytest.fixture
def pulumi(
    _real_pulumi: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
