"""The commands' words: options, refusals, help; nothing is deployed here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.main import app

ROOT = Path(__file__).parents[3]
SAMPLE = str(ROOT / "testdata" / "architectures" / "tracer.yaml")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of this test's own."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["up", "absent.yaml", "--env", "local"], 2, "no such file"),
        (["up", SAMPLE, "--env", "dev"], 2, "--target local"),
        (["up", SAMPLE, "--env", "dev", "--target", "moon"], 2, "is none of: local, google"),
        (["up", SAMPLE, "--env", "local", "--engine", "v8"], 2, "is none of: auto"),
        (["up", SAMPLE, "--env", "local", "--propagation", "slow"], 2, "is none of"),
        (["up", SAMPLE, "--env", "No"], 2, "not usable"),
        (["up", SAMPLE], 2, "--env"),
        (["status", "--env", "dev"], 2, "there is no environment 'dev'"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_a_wrong_call_is_refused_with_what_to_do(
    project: Path, words: list[str], code: int, said: str
) -> None:
    """Exit 2, one clear line, nothing made."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code == code
    assert said in done.output
    assert not (project / ".conductor").exists()


def test_a_cloud_that_does_not_run_is_said_to() -> None:
    """`cloud status` and `cloud stop` of an environment that was never started."""
    for verb in ("status", "stop"):
        done = CliRunner().invoke(app, ["cloud", verb, "--env", "local"])
        assert done.exit_code == 0
        assert "the local cloud of local does not run" in done.output


def test_help_names_every_command_and_loads_no_pulumi() -> None:
    """Imports are lazy: help must not wait for Pulumi or Google's clients."""
    program = (
        "import sys\n"
        "from orchestration.cli.main import app\n"
        "from typer.testing import CliRunner\n"
        "print(CliRunner().invoke(app, ['--help']).output)\n"
        "print([m for m in ('pulumi', 'google', 'grpc', 'httpx', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    for command in ("up", "preview", "status", "generate", "cloud"):
        assert command in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_folder_that_is_no_project_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that names the project is in the hint."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(empty))
    done = CliRunner().invoke(app, ["status", "--env", "local"])
    assert done.exit_code == 2
    assert "CONDUCTOR_PROJECT_DIR" in done.output
