"""`conductor cloud logs`: what services have written, also when their cloud does not run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestration.cli.main import app
from rehearsal.cloud.run.logs import Logs


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder whose local cloud once ran two revisions of a service."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    logs = Logs(tmp_path / ".conductor" / "local" / "cloud" / "run" / "logs")
    logs.of("europe-west1", "worker", "worker-00001-abc").write("1111aaaa", "old words")
    latest = logs.of("europe-west1", "worker", "worker-00002-def")
    latest.write("2222bbbb", "first [words]", "second words")
    latest.write("3333cccc", "other words")
    return tmp_path


def logs(*words: str) -> Result:
    """Run `conductor cloud logs` on the local environment."""
    return CliRunner().invoke(app, ["cloud", "logs", *words, "--env", "local"])


@pytest.mark.usefixtures("project")
def test_lines_of_the_latest_revision_are_shown_with_their_instance() -> None:
    """Text as it was written; another revision, one instance or the last lines on request."""
    shown = logs("worker").output.splitlines()
    assert shown[0] == "revision worker-00002-def"
    assert [line.split("  ", 1)[1] for line in shown[1:]] == [
        "2222bbbb  first [words]",
        "2222bbbb  second words",
        "3333cccc  other words",
    ]
    assert "old words" in logs("worker", "--revision", "worker-00001-abc").output
    (line,) = logs("worker", "--instance", "2222", "--last", "1", "--json").output.splitlines()
    written = json.loads(line)
    assert (written["revision"], written["instance"]) == ("worker-00002-def", "2222bbbb")
    assert written["text"] == "second words"


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("other",), "worker"),
        (("worker", "--revision", "worker-00009-xyz"), "worker-00001-abc, worker-00002-def"),
        (("../worker",), "worker"),
    ],
)
def test_who_has_written_nothing_is_refused_with_those_who_have(
    words: tuple[str, ...], known: str
) -> None:
    """Exit 2, and which services or revisions there are."""
    refused = logs(*words)
    assert refused.exit_code == 2
    assert known in refused.output
