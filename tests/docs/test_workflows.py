"""The workflows say what exists, may do what they must, and pin what they run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.shell_commands import conductor_calls, unknown_words

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# All that any job here needs; everything else stays forbidden.
RIGHTS = {
    ("preview", "preview"): {"contents": "read", "id-token": "write", "pull-requests": "write"},
    ("preview", "environment"): {"contents": "read", "id-token": "write"},
    ("deploy", "approval"): {"actions": "read", "pull-requests": "read"},
    ("deploy", "deploy"): {"actions": "read", "contents": "read", "id-token": "write"},
    ("drift", "drift"): {"contents": "read", "id-token": "write"},
    ("clean-up", "find"): {"contents": "read", "id-token": "write"},
    ("clean-up", "clean-up"): {"contents": "read", "id-token": "write"},
}


def jobs(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the jobs of a workflow by name."""
    yield from yaml.safe_load(file.read_text())["jobs"].items()


def test_there_are_four() -> None:
    """Step 7, item 5 names them."""
    assert [file.stem for file in FILES] == ["clean-up", "deploy", "drift", "preview"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_permissions_are_the_least(file: Path) -> None:
    """None for the whole workflow; each job has what it needs, and time that ends."""
    assert yaml.safe_load(file.read_text())["permissions"] == {}
    for name, job in jobs(file):
        assert job["permissions"] == RIGHTS[file.stem, name]
        assert job["timeout-minutes"] <= 120
        if "id-token" in job["permissions"] and name != "find":
            assert job["concurrency"]["group"].startswith("conductor-")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_action_is_pinned(file: Path) -> None:
    """By a full commit digest, with the version that it is of; the same everywhere."""
    pins: dict[str, str] = {}
    for other in FILES:
        for line in re.findall(r"uses: (.+)", other.read_text()):
            action, _, pin = line.partition("@")
            assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin), line
            assert pins.setdefault(action, pin) == pin
    for _, job in jobs(file):
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_there_is_no_key_and_no_foreign_text_in_a_shell(file: Path) -> None:
    """Federation needs none; what a pull request says never becomes a program."""
    assert set(re.findall(r"secrets\.(\w+)", file.read_text())) <= {"GITHUB_TOKEN"}
    assert "pull_request_target" not in file.read_text()
    for _, job in jobs(file):
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_command_and_option_exists(file: Path) -> None:
    """A workflow that nobody can run here says at least nothing that is not there."""
    runs = [step.get("run", "") for _, job in jobs(file) for step in job["steps"]]
    calls = [call for run in runs for call in conductor_calls(run)]
    assert calls
    assert {" ".join(call): unknown_words(call) for call in calls if unknown_words(call)} == {}


def test_the_script_beside_them_is_shell() -> None:
    """And is never stored over what could not be fetched."""
    script = ROOT / ".github" / "records.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)  # noqa: S607 - the one on PATH
    refused = subprocess.run(
        ["bash", str(script), "store", "pr-1"],  # noqa: S607 - the one on PATH
        cwd=FILES[0].parent,
        env={"PATH": "/usr/bin:/bin", "STATE_BUCKET": "gs://nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (refused.returncode, refused.stderr) == (3, "records.sh: pr-1 was not fetched\n")
